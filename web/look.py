"""The page's theme, with system fonts so that nothing is downloaded, and its CSS."""

import gradio as gr

from web.marking import ERROR_RGB, ERROR_SHARES

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

CSS = """
.gradio-container { max-width: 1120px !important; width: 100%; margin: 0 auto !important; }
.gradio-container main { width: 100%; }
#choices .form > .block { min-width: 8.5rem !important; }
#head h1 { font-size: 1.5rem; font-weight: 650; margin: 0.4rem 0 0.1rem; }
#head p, .quiet p { color: var(--body-text-color-subdued); }
.scale { display: flex; align-items: center; gap: 0.6rem; flex-wrap: wrap; font-size: 0.85rem;
  color: var(--body-text-color-subdued); }
.scale i { height: 0.55rem; flex: 1 1 8rem; max-width: 16rem; border-radius: 0.3rem; }
@media (max-width: 640px) {
  .gradio-container main { padding: 0.75rem !important; }
  .pane { height: 270px !important; }
}
"""


def theme() -> gr.themes.Base:
    """Returns the page's theme; light or dark follows the visitor's system."""
    plain = {
        f"{name}{mode}": value
        for name, value in {
            "block_label_background_fill": "*block_background_fill",
            "block_label_border_width": "0px",
            "block_label_text_color": "*body_text_color_subdued",
            "block_title_text_color": "*body_text_color_subdued",
            "block_shadow": "none",
        }.items()
        for mode in ("", "_dark")
    }
    return gr.themes.Default(primary_hue="teal", neutral_hue="slate", radius_size="md", font=SANS, font_mono=MONO).set(
        body_background_fill="*neutral_50", **plain
    )


def error_scale() -> str:
    """Returns HTML with the color scale of the keypoints."""
    colors = ", ".join(f"rgb{rgb}" for rgb in ERROR_RGB)
    low, high = (f"{100 * share:g} %" for share in (ERROR_SHARES[0], ERROR_SHARES[-1]))
    return (
        f'<div class="scale"><span>Expected error of a keypoint: {low}</span>'
        f'<i style="background: linear-gradient(90deg, {colors})"></i><span>{high} of the face\'s width</span></div>'
    )
