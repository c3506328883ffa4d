"""`report.md` and its figures: a person understands the set in a minute."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from common import draw
from data_prep.faces import SPLITS, Faces, labelled_points
from data_prep.grouping import duplicate_groups
from data_prep.oddities import ODD, LabelNoise, duplicate_label_noise, mean_of_labels, oddness, outside_picture
from data_prep.split import sizes_text
from facial_keypoints.array_types import Bool, Float64, Int64

SOURCE_COLORS = ("#2166ac", "#e07b1a")
ODD_FACES, CONTACT_FACES, COLUMNS = 24, 60, 12
MARKED_DIFFERENTLY_PX = 2.0
ROWS_LISTED = 12
INK = {"color": "white", "fontsize": 8, "path_effects": [withStroke(linewidth=2, foreground="#000000b0")]}
NAMED_KEYPOINTS = 20  # more names or bars than this do not fit beside a picture

SPLIT_MEANING = {
    "grouped": "no person, and no picture that occurs twice, is on two sides",
    "random": "by rows: a person, or a copy of a picture, may be on two sides, which flatters every score",
    "documented": "the published procedure to the row: forward fill over the whole set, then scikit-learn's shuffle "
    "with seed 42 (copies and people may be on two sides, which flatters every score)",
    "all-test": "every row into test, to score a model on a set that it has never seen",
}


def write_report(
    folder: Path,
    faces: Faces,
    indexes: Mapping[str, Int64],
    sources: Int64,
    groups: Int64,
    hidden_errors: Mapping[str, float],
    method: str,
    split_method: str,
) -> None:
    """Writes `report.md` and its PNG figures into `folder`.

    Args:
        faces: N faces as read, gaps and all.
        indexes: the faces of each part, int64 indexes into `faces` by `train`, `val`, `test`.
        sources: int64 (N,), the label source of each face.
        groups: int64 (N,), one number for faces that the grouped split keeps together.
        hidden_errors: RMSE in px of each imputation method on hidden known labels; may be empty.
        method: the imputation that was used.
        split_method: how the parts were made.
    """
    labelled = labelled_points(faces.keypoints)
    scores = oddness(faces.keypoints, sources)
    noise = duplicate_label_noise(faces.keypoints, duplicate_groups(faces.images), sources)
    means = {int(source): mean_of_labels(faces.keypoints[sources == source]) for source in np.unique(sources)}

    draw_contact_sheet(folder / "contact_sheet.png", faces, sources)
    odd = draw_odd_faces(folder / "odd_faces.png", faces, scores)
    draw_mean_face(folder / "mean_face.png", faces, sources, means)
    draw_keypoint_scatter(folder / "keypoint_scatter.png", faces)
    draw_visible_keypoints(folder / "visible_keypoints.png", labelled, sources)
    draw_labelled_share(folder / "labelled_share.png", faces, labelled, sources)

    sections = [
        _summary(faces, labelled, sources, groups, noise),
        _figure("contact_sheet.png", "faces from all over the set, with their labels"),
        _splits(faces, indexes, labelled, groups, split_method),
        _label_sources(faces, labelled, sources, means),
        _visible(labelled, sources),
        _imputation(hidden_errors, method),
        _duplicates(noise),
        _outside(faces),
        _odd(faces, scores, odd),
        "## Where each keypoint lies\n\n"
        + _figure("keypoint_scatter.png", "every label of the set on the mean picture"),
    ]
    (folder / "report.md").write_text("\n\n".join(section for section in sections if section) + "\n", encoding="utf-8")


# ---- text ----


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table, its first column to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [header, rule, *rows])


def _figure(name: str, caption: str) -> str:
    return f"![{caption}]({name})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _px(distance: float) -> str:
    return "" if np.isnan(distance) else f"{distance:.1f}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _source_name(source: int) -> str:
    return f"source {source}"


def _summary(faces: Faces, labelled: Bool, sources: Int64, groups: Int64, noise: LabelNoise) -> str:
    count, height, width, channels = faces.images.shape
    people = "" if faces.groups is None else f" of {_count(len(np.unique(faces.groups)), 'person', 'people')}"
    lines = [
        f"{_count(count, 'face')}{people}, {width} x {height} px, {'grey' if channels == 1 else 'colour'}, "
        f"{len(faces.keypoint_set)} keypoints ({faces.keypoint_set.name}); {_percent(labelled.mean())} of them "
        f"are labelled, {_count(int(labelled.all(axis=1).sum()), 'face')} completely.",
        f"{_count(len(np.unique(sources)), 'label source')} and {_count(len(np.unique(groups)), 'group')} "
        "that a fair split keeps together.",
    ]
    if noise.points:
        lines.append(
            f"**Label noise: {noise.one_label_px:.2f} px** per coordinate, from pictures that were labelled twice. "
            "A smaller error cannot be told from that of the labels themselves."
        )
    outside = int(outside_picture(faces.keypoints, height, width).sum())
    if outside:
        lines.append(f"{_count(outside, 'label lies', 'labels lie')} outside the picture.")
    return "# The data\n\n" + "\n".join(f"- {line}" for line in lines)


def _splits(faces: Faces, indexes: Mapping[str, Int64], labelled: Bool, groups: Int64, split_method: str) -> str:
    rows = []
    for name in SPLITS:
        i = indexes[name]
        share = labelled[i].mean() if len(i) else 0.0
        complete = int(labelled[i].all(axis=1).sum())
        people = [] if faces.groups is None else [f"{len(np.unique(faces.groups[i])):,}"]
        numbers = [f"{len(i):,}", _percent(len(i) / len(faces)), *people, f"{len(np.unique(groups[i])):,}"]
        rows.append([name, *numbers, f"{complete:,}", _percent(share)])
    people_column = [] if faces.groups is None else ["people"]
    header = ["part", "faces", "share", *people_column, "groups", "complete faces", "labelled"]
    text = f"Split `{split_method}`: {SPLIT_MEANING[split_method]}. It gives {sizes_text(indexes)}."
    return f"## Parts\n\n{text}\n\n" + table(header, rows)


def _label_sources(faces: Faces, labelled: Bool, sources: Int64, means: Mapping[int, Float64]) -> str:
    sizes = {source: int((sources == source).sum()) for source in means}
    parts = [
        f"source {source} ({_count(size, 'face')}, {_percent(size / len(faces))}) "
        f"marks {labelled[sources == source].sum(axis=1).mean():.1f} keypoints a face"
        for source, size in sizes.items()
    ]
    text = "## Labels, by source\n\nFound from the pattern of labels, not from row numbers: " + "; ".join(parts) + "."
    if len(means) == 2:
        text += " " + _marked_differently(faces, means)
    text += "\n\n" + _figure("mean_face.png", "mean picture and mean labels of each source, numbered as in the table")
    header = ["keypoint"]
    for source in means:
        header += [f"missing, {_source_name(source)}", "mean x", "mean y"]
    if len(means) == 2:
        header.append("apart, px")
    rows = []
    for k, name in enumerate(faces.keypoint_set.names):
        row = [f"{k + 1} {name}"]
        for source, mean in means.items():
            row += [f"{int((~labelled[sources == source, k]).sum()):,}", *map(_px, mean[k])]
        if len(means) == 2:
            row.append(_apart_text(_apart(means)[k]))
        rows.append(row)
    return (
        text + "\n\n" + table(header, rows) + "\n\n" + _figure("labelled_share.png", "labelled share of each keypoint")
    )


def _apart(means: Mapping[int, Float64]) -> Float64:
    """Returns the distance in px (K,) between the mean labels of two sources."""
    one, other = means.values()
    distances: Float64 = np.hypot(*(one - other).T)
    return distances


def _apart_text(distance: float) -> str:
    return f"**{distance:.1f}**" if distance > MARKED_DIFFERENTLY_PX else _px(distance)


def _marked_differently(faces: Faces, means: Mapping[int, Float64]) -> str:
    apart = _apart(means)
    flagged = [
        f"{faces.keypoint_set.names[k]} ({apart[k]:.1f} px)" for k in np.flatnonzero(apart > MARKED_DIFFERENTLY_PX)
    ]
    if not flagged:
        return "They agree on where the keypoints lie."
    return f"**They mark {' and '.join(flagged)} differently**: one name, two places on the face."


def _visible(labelled: Bool, sources: Int64) -> str:
    visible = labelled.sum(axis=1)
    present = np.unique(sources)
    rows = [
        [number, *[f"{int(((visible == number) & (sources == source)).sum()):,}" for source in present]]
        for number in np.unique(visible)
    ]
    header = ["labelled keypoints", *[f"faces, {_source_name(source)}" for source in present]]
    picture = _figure("visible_keypoints.png", "faces by their number of labelled keypoints")
    return "## Labelled keypoints per face\n\n" + picture + "\n\n" + table(header, rows)


def _imputation(hidden_errors: Mapping[str, float], method: str) -> str:
    text = f"## Imputation\n\nGaps are filled by `{method}`; `*_labelled.npy` says which keypoints are real labels."
    if not hidden_errors:
        return text
    rows = [
        [f"**{name}**" if name == method else name, f"{rmse:.2f}"]
        for name, rmse in sorted(hidden_errors.items(), key=lambda item: item[1])
    ]
    how = "Measured on labels that were known and hidden: complete faces of the validation part, only the keypoints"
    return f"{text} {how} of source 1 left visible.\n\n" + table(["method", "RMSE, px"], rows)


def _duplicates(noise: LabelNoise) -> str:
    text = "## Pictures that occur more than once\n\n"
    if not noise.copies:
        return text + "None, pixel for pixel."
    text += (
        f"{_count(noise.pictures, 'picture occurs', 'pictures occur')} more than once, pixel for pixel "
        f"({_count(noise.copies, 'extra copy', 'extra copies')})."
    )
    if not noise.points:
        return text + " Their labels share no keypoint within one source, so the label noise is unknown."
    return text + (
        f" Within one source their labels differ by {noise.rms_px:.2f} px (RMS of a coordinate, "
        f"{_count(noise.points, 'point')}); half of the points lie more than {noise.median_px:.2f} px apart. One "
        f"label is thus off by about {noise.one_label_px:.2f} px per coordinate (√2 less): **this is the label noise**."
    )


def _outside(faces: Faces) -> str:
    beyond = outside_picture(faces.keypoints, *faces.images.shape[1:3])
    text = "## Labels outside the picture\n\n"
    if not beyond.any():
        return text + "None."
    rows = faces.rows[beyond.any(axis=1)]
    more = f" and {len(rows) - ROWS_LISTED:,} more" if len(rows) > ROWS_LISTED else ""
    listed = ", ".join(map(str, rows[:ROWS_LISTED])) + more
    return text + f"{_count(int(beyond.sum()), 'label')} in {_count(len(rows), 'face')}: row {listed} (from 0)."


def _odd(faces: Faces, scores: Float64, odd: Int64) -> str:
    return (
        "## The oddest shapes\n\nThe faces whose labels fit the other shapes of their source least, once shifted, "
        "turned and scaled onto them. The number behind the row says by how many standard deviations; "
        f"{int((scores > ODD).sum()):,} of {len(faces):,} faces are above {ODD:g}. Wrong labels end up here, and so do "
        "profiles and wide open mouths.\n\n" + _figure("odd_faces.png", f"the {len(odd)} oddest faces, with their rows")
    )


# ---- figures ----


def draw_contact_sheet(path: Path, faces: Faces, sources: Int64) -> None:
    """Writes a grid of faces taken evenly from the set, each label in the colour of its source."""
    chosen = np.linspace(0, len(faces) - 1, min(CONTACT_FACES, len(faces))).round().astype(np.int64)
    labelled = labelled_points(faces.keypoints[chosen])
    marks = [
        draw.KeypointLayer(
            faces.keypoints[chosen],
            _light(int(source)),
            _source_name(int(source)),
            shown=labelled & (sources[chosen] == source)[:, None],
        )
        for source in np.unique(sources)
    ]
    draw.face_grid(path, faces.images[chosen], marks, COLUMNS, title=f"{len(chosen)} of {len(faces):,} faces")


def draw_odd_faces(path: Path, faces: Faces, scores: Float64) -> Int64:
    """Writes a grid of the oddest faces, oddest first, and returns their indexes."""
    odd = np.argsort(-scores, kind="stable")[:ODD_FACES]
    captions = [f"row {faces.rows[i]}  ({scores[i]:.0f})" for i in odd]
    marks = [draw.KeypointLayer(faces.keypoints[odd], draw.TRUTH, "label")]
    draw.face_grid(path, faces.images[odd], marks, COLUMNS // 2, captions, "Oddest shapes")
    return odd


def _light(source: int) -> str:
    """Dots on a face need brighter colours than bars on paper."""
    return ("#35d6ff", "#ffb52e")[source % 2]


def mean_picture(faces: Faces, chosen: Bool | None = None) -> Float64:
    """Returns the mean grey picture of the chosen faces, float64 (H, W), black 0 to white 255."""
    pictures = faces.images if chosen is None else faces.images[chosen]
    mean: Float64 = pictures.mean(axis=(0, 3))
    return mean


def draw_mean_face(path: Path, faces: Faces, sources: Int64, means: Mapping[int, Float64]) -> None:
    """Writes the mean picture with the mean labels of each source, and one with both where there are two."""
    both = len(means) == 2
    figure, panels = draw.subplots(1, len(means) + both, figsize=(4.4 * (len(means) + both), 4.7), layout="constrained")
    panels = np.atleast_1d(panels)
    for panel, (source, mean) in zip(panels, means.items(), strict=False):
        chosen = sources == source
        _show(panel, mean_picture(faces, chosen))
        _draw_strokes(panel, faces, mean, _light(source))
        _write_numbers(panel, mean)
        panel.set_title(f"{_source_name(source)}: {_count(int(chosen.sum()), 'face')}", fontsize=11)
    if both:
        _show(panels[-1], mean_picture(faces))
        for source, mean in means.items():
            panels[-1].plot(*mean.T, "o", color=_light(source), ms=6, mec="black", mew=0.6, label=_source_name(source))
        one, other = means.values()
        for k in np.flatnonzero(_apart(means) > MARKED_DIFFERENTLY_PX):
            panels[-1].plot(*np.stack([one[k], other[k]]).T, color="white", lw=1.4, zorder=1.5)
            text = f"{_apart(means)[k]:.1f} px"
            panels[-1].annotate(text, (one[k] + other[k]) / 2, (8, 0), textcoords="offset points", va="center", **INK)
        panels[-1].set_title("both: where they differ", fontsize=11)
        panels[-1].legend(loc="upper center", ncols=2, fontsize=9, framealpha=0.85)
    draw.save(figure, path)


def _show(panel: Any, picture: Float64) -> None:
    panel.imshow(picture, cmap="gray", interpolation="bicubic")
    panel.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5))
    panel.axis("off")


def _draw_strokes(panel: Any, faces: Faces, points: Float64, color: str) -> None:
    for stroke in faces.keypoint_set.skeleton:
        panel.plot(*points[list(stroke)].T, color=color, lw=1.2, alpha=0.6)
    panel.plot(*points.T, "o", color=color, ms=5, mec="black", mew=0.6)


def _write_numbers(panel: Any, points: Float64) -> None:
    for number, point in enumerate(points, start=1):
        if np.isfinite(point).all():
            panel.annotate(str(number), point, (0, 6), textcoords="offset points", ha="center", **INK)


def draw_keypoint_scatter(path: Path, faces: Faces) -> None:
    """Writes every label of the set as a dot on the mean picture, a colour for each keypoint."""
    names = faces.keypoint_set.names
    hues = (np.arange(len(names)) * 0.618) % 1  # the golden ratio keeps the hues of neighbours apart
    figure = Figure(figsize=(8.4, 6))
    panel = figure.add_axes((0.01, 0.01, 0.66, 0.94))
    mean = mean_picture(faces)
    _show(panel, mean)
    panel.images[0].set_clim(mean.min(), mean.min() + 2.5 * np.ptp(mean))  # dark, so that the dots stand out
    for k, (name, hue) in enumerate(zip(names, hues, strict=True)):
        color = hsv_to_rgb((hue, 0.75, 1))
        panel.scatter(*faces.keypoints[:, k].T, s=3, color=color, alpha=0.25, linewidths=0)
        panel.scatter([], [], s=40, color=color, label=f"{k + 1}  {name.replace('_', ' ')}")
    if len(names) <= NAMED_KEYPOINTS:
        panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    panel.set_title(f"Every label of {len(faces):,} faces", fontsize=11, loc="left")
    draw.save(figure, path)


def draw_visible_keypoints(path: Path, labelled: Bool, sources: Int64) -> None:
    """Writes how many faces have 0, 1, ... K labelled keypoints, bars by source."""
    numbers = np.arange(labelled.shape[1] + 1)
    visible = labelled.sum(axis=1)
    figure, panel = _plain_axes((8, 3.4))
    height = np.zeros(len(numbers), np.int64)
    for source in np.unique(sources):
        faces = np.bincount(visible[sources == source], minlength=len(numbers))
        panel.bar(numbers, faces, 0.75, bottom=height, color=SOURCE_COLORS[source % 2], label=_source_name(int(source)))
        height += faces
    if len(numbers) <= NAMED_KEYPOINTS:
        panel.set_xticks(numbers)
        for number in np.flatnonzero(height):
            place = (number, height[number])
            panel.annotate(f"{height[number]:,}", place, (0, 3), textcoords="offset points", ha="center", fontsize=8)
    panel.set(xlabel="labelled keypoints of a face", ylabel="faces")
    panel.margins(y=0.1)
    panel.legend(frameon=False)
    draw.save(figure, path)


def draw_labelled_share(path: Path, faces: Faces, labelled: Bool, sources: Int64) -> None:
    """Writes the share of faces that label each keypoint, a bar for each source."""
    names = faces.keypoint_set.names
    present = np.unique(sources)
    figure, panel = _plain_axes((8, 0.9 + 0.26 * len(names)))
    thickness = 0.8 / len(present)
    for place, source in enumerate(present):
        share = 100 * labelled[sources == source].mean(axis=0)
        y = np.arange(len(names)) + (place - (len(present) - 1) / 2) * thickness
        panel.barh(y, share, thickness, color=SOURCE_COLORS[source % 2], label=_source_name(int(source)))
    panel.set_yticks(np.arange(len(names)), [name.replace("_", " ") for name in names], fontsize=9)
    panel.set(xlabel="faces of the source that label it, %", xlim=(0, 100))
    panel.invert_yaxis()
    panel.margins(y=0.01)
    panel.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    draw.save(figure, path)


def _plain_axes(size: tuple[float, float]) -> tuple[Any, Any]:
    figure, panel = draw.subplots(figsize=size, layout="constrained")
    panel.spines[["top", "right"]].set_visible(False)
    return figure, panel
