"""dlib's trainer on the project's faces."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import dlib_trained
from benchmarks.optional import optional
from data_prep.faces import Split, labelled_points
from data_prep.synthetic import dataset
from facial_keypoints.array_types import Float32, Int64, UInt8
from facial_keypoints.keypoint_set import FACE15, FACE68
from tests.benchmarks.conftest import needs_dlib


def part_of(images: UInt8, keypoints: Float32, sources: Int64) -> Split:
    count = np.arange(len(images))
    labelled = labelled_points(keypoints)
    return Split(images, np.nan_to_num(keypoints), labelled, count, count, sources)


def test_faces_of_unbiased_sources_are_also_used_mirrored() -> None:
    images = np.arange(2 * 4 * 8, dtype=np.uint8).reshape(2, 4, 8, 1)
    keypoints = np.random.default_rng(0).uniform(0, 7, (2, 68, 2)).astype(np.float32)
    part = part_of(images, keypoints, np.array([1, 0]))  # a video frame and a picture
    images_with_mirrored, keypoints_with_mirrored = dlib_trained.with_mirrored(part, FACE68)
    assert images_with_mirrored[:2].tolist() == images.tolist()
    assert images_with_mirrored[2:].tolist() == images[1:, :, ::-1].tolist()
    # Jaw point 16 of the mirrored picture is where jaw point 0 was, seen from the other side.
    assert keypoints_with_mirrored[2, 16].tolist() == pytest.approx([7 - keypoints[1, 0, 0], keypoints[1, 0, 1]])
    assert keypoints_with_mirrored[:2].tolist() == keypoints.tolist()


@needs_dlib
def test_trained_predictor_is_better_than_the_mean_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"cascade_depth": 4, "num_trees_per_cascade_level": 40, "oversampling_amount": 5}.items():
        monkeypatch.setitem(dlib_trained.SETTINGS, name, value)
    faces = dataset.read(count=240)
    part = part_of(faces.images, faces.keypoints, np.zeros(240, np.int64))
    whole = np.flatnonzero(dlib_trained.complete(part))
    assert 50 < len(whole) < 80  # the source that labels all keypoints has a third of the faces
    file = tmp_path / "trained.dat"
    assert dlib_trained.train(part.only(np.setdiff1d(np.arange(240), whole[::5])), FACE15, file) > 0

    held_out, training = part.only(whole[::5]), part.only(np.setdiff1d(whole, whole[::5]))
    found = dlib_trained.find_points(optional("dlib").shape_predictor(str(file)), held_out.images)
    mean = training.keypoints.mean(axis=0)
    error, error_of_mean = (np.abs(predicted - held_out.keypoints).mean() for predicted in (found, mean))
    assert error < 0.8 * error_of_mean
