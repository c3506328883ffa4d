"""Shows what a network sees: its kernels, the feature maps of a face, and the pixels that its keypoints depend on."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from common.backend import start_backend
from common.draw import save
from common.hashes import file_hash
from common.options import stage_parser
from common.stage import seconds_text, stage_folder, write_manifest
from evaluation.stages import INSPECT
from facial_keypoints.errors import run


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    started = time.time()
    start_backend()
    from evaluation.inspection.report import inspect

    with stage_folder(options.out, INSPECT, [options.model, *filter(None, [options.picture])]) as folder:
        figures, metrics, notes, model_hash = inspect(options.model, options.picture, options.detect)
        for name, figure in figures.items():
            save(figure, folder / name)
        inputs = {"model": model_hash} | ({"picture": file_hash(options.picture)} if options.picture else {})
        parameters = {"model": str(options.model), "detect": options.detect}
        parameters["picture"] = str(options.picture) if options.picture else None
        write_manifest(folder, INSPECT, parameters, inputs, metrics, started, {"notes": notes})
    for note in notes:
        print(f"note: {note}")
    print(f"wrote {', '.join(figures)} to {options.out} in {seconds_text(time.time() - started)}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Returns the options with their defaults filled in."""
    parser = stage_parser(
        "evaluation.inspect", "Shows what a trained network sees in a face.", "artifacts/models/base photo.jpg"
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder, or a .keras file from elsewhere")
    parser.add_argument(
        "picture",
        nargs="?",
        type=Path,
        metavar="PICTURE",
        help="picture; its face with the lowest expected error is used (default: a face that the project draws)",
    )
    parser.add_argument(
        "--no-detect", dest="detect", action="store_false", help="treat the picture as one cropped face"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: artifacts/inspection/NAME)")
    options = parser.parse_args(arguments)
    if not (options.detect or options.picture):
        parser.error("--no-detect: is for a PICTURE; give one")
    name = options.model.resolve().name.removesuffix(".keras")
    options.out = options.out or Path("artifacts/inspection") / name
    return options


if __name__ == "__main__":
    run(main)
