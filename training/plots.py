"""The picture of a training run."""

from pathlib import Path

from matplotlib.ticker import MaxNLocator

from common.draw import save, subplots

LOSS_UNITS = {"mse": "px²", "mae": "px", "huber": "px", "wing": "px", "laplace": "log px"}


def loss_curves(path: Path, history: list[dict[str, float]], best: int, loss: str, title: str) -> None:
    """Writes a PNG with loss and MAE over the epochs, training and validation, the best epoch marked."""
    epochs = [row["epoch"] for row in history]
    figure, panels = subplots(1, 2, figsize=(10, 3.8))
    for axes, metric, text in zip(
        panels, ("loss", "mae"), (f"loss: {loss} in {LOSS_UNITS[loss]}", "MAE in px"), strict=True
    ):
        axes.plot(epochs, [row[metric] for row in history], color="#2f6fb0", label="training")
        axes.plot(epochs, [row[f"val_{metric}"] for row in history], color="#d0662b", label="validation")
        axes.axvline(best, color="#888888", linewidth=0.8, linestyle=":")
        axes.annotate(f"best: epoch {best}", (best, 1), xycoords=("data", "axes fraction"), fontsize=8, color="#555555",
                      xytext=(-3, -10), textcoords="offset points", ha="right")  # fmt: skip
        log = min(row[key] for row in history for key in (metric, f"val_{metric}")) > 0
        axes.set(xlabel="epoch", ylabel=text, yscale="log" if log else "linear")  # a likelihood may be negative
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which("{x:g}")
        axes.grid(alpha=0.25, which="both")
        axes.legend(frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.tight_layout()
    save(figure, path)
