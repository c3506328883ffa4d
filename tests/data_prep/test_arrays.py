"""The data folder on disk: arrays are loaded as stored, and damaged arrays give a one-line error."""

import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from common.stage import stage_folder, write_manifest
from data_prep.arrays import PREPARE, load_data_manifest, load_keypoint_set, load_split, save_split
from data_prep.faces import Split
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, to_dict

IMAGES = "test_images.npy"


@pytest.fixture
def split() -> Split:
    n = np.arange(5)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    return Split(
        images,
        np.ones((5, 3, 2), np.float32),
        np.ones((5, 3), bool),
        n,
        n,
        n,
        np.random.default_rng(0).random((5, 2, 3)),
        np.random.default_rng(0).random((5, 3)) < 0.5,
    )


def test_split_is_loaded_as_stored(split: Split, tmp_path: Path) -> None:
    save_split(tmp_path, "test", split)
    for field in fields(Split):
        stored, given = (getattr(one, field.name) for one in (load_split(tmp_path, "test"), split))
        assert stored.dtype == given.dtype
        np.testing.assert_array_equal(stored, given)


def test_images_are_memory_mapped_and_read_only(split: Split, tmp_path: Path) -> None:
    save_split(tmp_path, "test", split)
    stored = load_split(tmp_path, "test")
    assert isinstance(stored.images, np.memmap)
    assert not isinstance(stored.keypoints, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        stored.images[0] = 0


def test_only_the_chosen_faces_are_stored(split: Split, tmp_path: Path) -> None:
    save_split(tmp_path, "test", split, np.array([4, 1]))
    stored, given = load_split(tmp_path, "test"), split.only(np.array([4, 1]))
    for field in fields(Split):
        np.testing.assert_array_equal(getattr(stored, field.name), getattr(given, field.name))


def test_visibility_is_optional_and_checked_when_loaded(split: Split, tmp_path: Path) -> None:
    save_split(tmp_path, "test", replace(split, visible=None))
    assert load_split(tmp_path, "test").visible is None
    nothing = np.zeros((5, 3), bool)
    for wrong in (replace(split, labelled=nothing), replace(split, visible=nothing[:, :2])):
        save_split(tmp_path, "test", wrong)
        with pytest.raises(InputError, match=r"test_visible\.npy: must be of the labelled keypoints; make the folder"):
            load_split(tmp_path, "test")


def test_faces_that_were_not_cropped_have_no_crops_file(split: Split, tmp_path: Path) -> None:
    save_split(tmp_path, "test", replace(split, crops=None))
    assert load_split(tmp_path, "test").crops is None
    assert not (tmp_path / "test_crops.npy").exists()


def with_header(text: str) -> Callable[[Path], object]:
    """Returns a function that replaces the header of an array file with the text."""

    def write(path: Path) -> None:
        body = text.encode().ljust(117) + b"\n"
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body + b"\0" * 320)

    return write


SHAPE = "{'descr': '|u1', 'fortran_order': False, 'shape': %s}"
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "no such file; make the folder again with"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged or not a valid numpy array"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is damaged or not a valid numpy array"),
    "no array": (lambda path: path.write_text("hello", encoding="utf-8"), "is damaged or not a valid numpy array"),
    "a header that is no Python": (with_header("{'descr': '|u1\n"), "is damaged or not a valid numpy array"),
    "an open bracket": (with_header("{'descr': ('|u1', 'shape': (5,"), "is damaged or not a valid numpy array"),
    "more memory than there is": (with_header(SHAPE % "(5, 8, 8, 10**14)"), "is damaged or not a valid numpy array"),
    "an absurd shape": (with_header(SHAPE % "(99999999999, 99999, 99999, 1)"), "is damaged or not a valid numpy array"),
    "another type": (lambda path: np.save(path, np.zeros((5, 8, 8, 1))), "holds float64 with 4 axes, not uint8 with 4"),
    "an axis too few": (lambda path: np.save(path, np.zeros((5, 8, 8), np.uint8)), "holds uint8 with 3 axes"),
    "a face too few": (lambda path: np.save(path, np.zeros((4, 8, 8, 1), np.uint8)), "differ in length"),
    "pickled": (lambda path: np.save(path, np.array([{}], object)), "is damaged or not a valid numpy array"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_array_gives_a_one_line_error(split: Split, tmp_path: Path, fault: str) -> None:
    break_it, message = FAULTS[fault]
    save_split(tmp_path, "test", split)
    break_it(tmp_path / IMAGES)
    with pytest.raises(InputError, match=message) as error:
        load_split(tmp_path, "test")
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_random_damage_of_the_header_raises_only_input_errors(split: Split, tmp_path: Path) -> None:
    """Random bytes in the header make numpy raise errors of Python's tokenizer and others."""
    save_split(tmp_path, "test", split)
    whole = (tmp_path / IMAGES).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.integers(0, 128, 3):
            damaged[at] = rng.integers(256)
        (tmp_path / IMAGES).write_bytes(damaged)
        try:
            load_split(tmp_path, "test")
        except InputError:
            refused += 1
    assert refused > 100


def test_inconsistent_keypoint_set_is_refused(tmp_path: Path) -> None:
    values = {**to_dict(FACE15), "skeleton": [["nose_tip", "left_ear"]]}
    with pytest.raises(InputError, match=r"data/manifest\.json: skeleton has 'left_ear', which is not one of the 15"):
        load_keypoint_set({"keypoint_set": values}, tmp_path / "data")


def test_data_folder_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    with stage_folder(tmp_path / "data", PREPARE) as folder:
        write_manifest(folder, PREPARE, {"keypoint_set": "face15"}, {}, {}, time.time())
    with pytest.raises(InputError, match="was written by an earlier version of this project; make the folder again"):
        load_data_manifest(tmp_path / "data")
