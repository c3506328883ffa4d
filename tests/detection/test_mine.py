"""False faces are searched for only in pictures without faces, at their own size and enlarged."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detection import mine
from facial_keypoints.array_types import Float64, UInt8
from tests.detection.scenes import mean_face, square_scene


class Finder:
    """A stand-in that finds a face in the middle of every picture."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.seen: list[tuple[int, ...]] = []

    def points(self, picture: UInt8) -> tuple[Float64, Float64]:
        self.seen.append(picture.shape)
        height, width = picture.shape
        return mean_face((width - 1) / 2, (height - 1) / 2, 40), np.ones(1)


def test_false_faces_are_in_px_of_the_original_picture() -> None:
    finder = Finder()
    found = mine.with_false_faces(square_scene(np.zeros((0, 5, 2))), finder)  # type: ignore[arg-type]
    assert finder.seen == [(200, 200), (400, 400)]
    np.testing.assert_allclose(found.hard, [[99.5, 99.5], [99.5, 99.5]])


def test_pictures_with_faces_are_not_mined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mine, "FaceFinder", Finder)
    with_face, without = square_scene(mean_face(100, 100, 60)), square_scene(np.zeros((0, 5, 2)))
    kept, found = mine.with_hard_negatives([with_face, replace(without, group="other")], None)  # type: ignore[arg-type]
    assert kept is with_face
    assert len(found.hard) == 2
