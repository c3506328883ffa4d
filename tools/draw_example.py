"""Draws the example picture of the README, docs/example.jpg, and docs/example_keypoints.jpg with v2's keypoints.

python -m tools.draw_example [FOLDER]
"""

import sys
from pathlib import Path

from facial_keypoints import Predictor, draw_faces, read_picture, write_picture
from web.examples import portrait, wall

DOCS = Path(__file__).parents[1] / "docs"
PEOPLE = (3, 34, 36)  # seeds of drawn faces


def main() -> None:
    """Writes both pictures into docs, or into the folder named on the command line."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else DOCS
    example = folder / "example.jpg"
    write_picture(example, wall([[portrait(number) for number in PEOPLE]]))
    picture = read_picture(example)  # as users read it, with JPEG's losses
    write_picture(folder / "example_keypoints.jpg", draw_faces(picture, Predictor("v2").predict(picture)))


if __name__ == "__main__":
    main()
