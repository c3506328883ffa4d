"""Image arrays in files give the same results as in memory, and their pages do not stay in memory."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_prep import image_arrays
from facial_keypoints.array_types import UInt8
from tests.conftest import ROOT


@pytest.fixture(params=["memory", "file"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path | None:
    monkeypatch.setattr(image_arrays, "BLOCK", 3)
    return tmp_path if request.param == "file" else None


def random_images(count: int) -> UInt8:
    return np.random.default_rng(count).integers(0, 256, (count, 4, 5, 3), np.uint8)


def filled(images: UInt8, folder: Path | None) -> UInt8:
    array = image_arrays.empty((len(images), *images.shape[1:]), folder)
    array[:] = images
    return array


def test_images_are_read_back_as_written(folder: Path | None) -> None:
    images, others = random_images(7), random_images(5)
    one, two = filled(images, folder), filled(others, folder)
    np.testing.assert_array_equal(image_arrays.reopen(one), images)
    np.testing.assert_array_equal(np.concatenate(list(image_arrays.blocks(one))), images)
    np.testing.assert_array_equal(image_arrays.concatenate([one, two], folder), np.concatenate([images, others]))
    assert [len(block) for block in image_arrays.blocks(one)] == [3, 3, 1]
    np.testing.assert_array_equal(one, images)  # nothing overwrote it


def test_first_images_of_an_array_can_be_reopened(folder: Path | None) -> None:
    images = random_images(7)
    np.testing.assert_array_equal(image_arrays.reopen(filled(images, folder)[:5]), images[:5])


def test_selected_images_are_kept_saved_and_averaged(folder: Path | None, tmp_path: Path) -> None:
    images = random_images(8)
    array = filled(images, folder)
    kept = np.arange(8) % 2 == 1
    np.testing.assert_array_equal(image_arrays.only(array, kept), images[kept])
    chosen = np.array([6, 1, 2, 0, 7])
    image_arrays.save(tmp_path / "out.npy", array, chosen)
    saved = np.load(tmp_path / "out.npy")
    assert saved.dtype == np.uint8
    np.testing.assert_array_equal(saved, images[chosen])
    np.testing.assert_allclose(image_arrays.mean(array, chosen), images[chosen].mean(axis=(0, 3)))


MEMORY = """
import sys, resource
from pathlib import Path
import numpy as np
from data_prep import image_arrays
folder, count = Path(sys.argv[1]), 40_000
images = image_arrays.empty((count, 64, 64, 1), folder)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for start in range(0, count, 2_000):
    images[start : start + 2_000] = start % 251
    images = image_arrays.reopen(images)
image_arrays.save(folder / "saved.npy", images, np.arange(count)[::-1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit or meaning there")
def test_writing_164_mb_of_images_takes_less_than_55_mb_of_memory(tmp_path: Path) -> None:
    assert resource.getpagesize() <= 65_536
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 55e6
    assert (tmp_path / "saved.npy").stat().st_size > 160e6
    assert np.load(tmp_path / "saved.npy", mmap_mode="r")[0, 0, 0, 0] == 38_000 % 251
