"""Both layouts of 68 keypoints: what is read from them, each fault told in one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep import read_68
from facial_keypoints.array_types import Float32
from facial_keypoints.errors import InputError

FRAMES = "training_frames_keypoints.csv"


def frames_csv(rows: dict[str, list[object]]) -> str:
    lines = [",".join(["", *map(str, range(136))])]
    return "\n".join([*lines, *(",".join([name, *map(str, values)]) for name, values in rows.items())]) + "\n"


def pts(points: Float32) -> str:
    lines = [f"{x} {y}" for x, y in points]
    return "\n".join(["version: 1", f"n_points: {len(points)}", "{", *lines, "}"]) + "\n"


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two frames of one person; value j of the second is 1000 + j."""
    (tmp_path / "training").mkdir()
    rows = {"Ann_van_Lee_10.jpg": list(range(136)), "Ann_van_Lee_11.jpg": list(range(1000, 1136))}
    (tmp_path / FRAMES).write_text(frames_csv({name: [*values] for name, values in rows.items()}))
    for name in rows:
        (tmp_path / "training" / name).touch()
    return tmp_path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two people, a .jpg and a .png; point k of the first is (k + 1, k + 1.5), counted from 1."""
    folder = tmp_path / "photos68"
    folder.mkdir()
    k = np.arange(68, dtype=np.float32)
    (folder / "a.pts").write_text(pts(np.stack([k + 1, k + 1.5], axis=-1)))
    (folder / "b.pts").write_text(pts(np.stack([k, k], axis=-1)))
    (folder / "a.jpg").touch()
    (folder / "b.png").touch()
    return folder


def test_frames_come_with_the_person_that_their_names_tell(clips: Path) -> None:
    faces = read_68.read(clips)
    assert [face.picture for face in faces] == [clips / "training" / f"Ann_van_Lee_{i}.jpg" for i in (10, 11)]
    assert [face.person for face in faces] == ["yt:Ann_van_Lee"] * 2
    assert faces[0].points.shape == (68, 2)
    assert faces[0].points[0].tolist() == [0, 1]
    assert faces[1].points[67].tolist() == [1134, 1135]


def test_pts_count_from_1_and_everybody_is_another_person(photos: Path) -> None:
    faces = read_68.read(photos)
    assert [face.picture.name for face in faces] == ["a.jpg", "b.png"]
    assert [face.person for face in faces] == ["photos:a", "photos:b"]
    assert faces[0].points[0].tolist() == [0, 0.5]
    assert faces[0].points[67].tolist() == [67, 67.5]


def test_the_real_sets_are_read_whole(real_data: Path) -> None:
    clips, photos = (read_68.read(real_data / name) for name in ("youtube68", "lfpw68"))
    assert len({face.person for face in clips}) == 300
    assert len({face.person for face in photos}) == len(photos) == 805


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no label file": (lambda f: (f / FRAMES).unlink(), r"has neither \*_frames_keypoints\.csv nor \.pts files"),
    "a frame is missing": (
        lambda f: (f / "training" / "Ann_van_Lee_11.jpg").unlink(),
        r"Ann_van_Lee_11\.jpg: is missing, though its keypoints are there",
    ),
    "a column too few": (
        lambda f: (f / FRAMES).write_text("," * 134 + "\na.jpg" + ",1" * 134 + "\n"),
        r"has 134 columns after the file names, expected 136",
    ),
    "text for a number": (
        lambda f: (f / FRAMES).write_text(frames_csv({"Ann_van_Lee_10.jpg": ["left", *range(135)]})),
        r"training_frames_keypoints\.csv: row 0 \(line 2\): x of point 1 of 68 is 'left', no number of px; label",
    ),
    "an empty cell": (
        lambda f: (f / FRAMES).write_text(
            frames_csv({"Ann_van_Lee_10.jpg": [*range(136)], "Ann_van_Lee_11.jpg": [0, 1, 2, "", *range(132)]})
        ),
        r"training_frames_keypoints\.csv: row 1 \(line 3\): y of point 2 of 68 is '', no number of px",
    ),
    "too large a number": (
        lambda f: (f / FRAMES).write_text(frames_csv({"Ann_van_Lee_10.jpg": ["1e40", *range(135)]})),
        r"row 0 \(line 2\): x of point 1 of 68 is '1e40', no number",
    ),
    "nan in a .pts": (
        lambda f: (f / "c.pts").write_text(pts(np.array([[1, 1]] * 67 + [[np.nan, 1]], np.float32))),
        r"c\.pts: x of point 68 of 68 is 'nan', no number",
    ),
    "text in a .pts": (
        lambda f: (f / "c.pts").write_text(pts(np.ones((68, 2), np.float32)).replace("1.0 1.0", "1.0 up", 1)),
        r"c\.pts: y of point 1 of 68 is 'up', no number",
    ),
    "a .pts that is no text": (lambda f: (f / "c.pts").write_bytes(b"\xff\xfe{"), r"c\.pts: holds no 68 points"),
    "a point too few": (lambda f: (f / "c.pts").write_text(pts(np.ones((67, 2), np.float32))), r"c\.pts: holds no 68"),
    "no braces": (lambda f: (f / "c.pts").write_text("1 2\n" * 68), r"c\.pts: holds no 68 points between braces"),
    "no picture beside": (
        lambda f: (f / "c.pts").write_text(pts(np.ones((68, 2), np.float32))),
        r"c\.jpg: is missing, though its keypoints are there",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_line(clips: Path, fault: str) -> None:
    break_it, message = FAULTS[fault]
    break_it(clips)
    with pytest.raises(InputError, match=message) as error:
        read_68.read(clips)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        read_68.read(tmp_path / "nowhere")
