"""Pseudo labels: 68 points for faces with five labels; faces whose labels do not fit the predictions are left out."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.stage import read_manifest
from data_prep import prepare
from data_prep.arrays import PREPARE
from data_prep.faces import labelled_points
from data_prep.pseudo_label import PSEUDO_LABEL, agree, main, mean_of_views
from data_prep.readers import pictures_csv
from data_prep.readers.labelled_pictures import LabelledPicture
from data_prep.synthetic import dataset
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.codec import Keypoints
from facial_keypoints.crops import crop_of
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68, as_face15
from facial_keypoints.predictor import Predictor
from tests.conftest import ROOT
from tests.data_prep.pictures import face_68, save_five, save_pts

FIVE = list(FACE15.label_sources[2].keypoints)
FACES = 8


def save_drawn(folder: Path, nose_px: Sequence[float] = (0,) * FACES) -> Float32:
    """Writes drawn faces, each in the middle of a picture of 160 px, and returns 15 predicted keypoints (N, 15, 2).

    The label file holds five of the predictions: the network learned from photos, so drawn keypoints would not fit.

    Args:
        nose_px: how far to the right of its prediction each nose tip is labelled.
    """
    drawn, network, seen = dataset.read(FACES, seed=0), Predictor("v2-68"), []
    mean = as_face15(np.array(network.spec.crop.mean_keypoints))
    (folder / "pictures").mkdir(parents=True)
    for i, (image, keypoints) in enumerate(zip(drawn.images, drawn.keypoints + 32, strict=True)):
        picture = np.pad(image[..., 0], 32, mode="edge")
        assert cv2.imwrite(str(folder / "pictures" / f"{i}.png"), picture)
        crop = geometry.fit_similarity(np.nan_to_num(keypoints), mean, labelled_points(keypoints))
        seen.append(as_face15(network.predict_at(picture, crop)[0].keypoints))
    labels = np.array(seen, np.float32)
    labels[:, FACE15.index("nose_tip"), 0] += nose_px
    with (folder / "keypoints.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "person", *(f"{FACE15.names[k]}_{axis}" for k in FIVE for axis in "xy")])
        for i, points in enumerate(labels):
            rows.writerow([f"{i}.png", f"yt:Person_{i}", *points[FIVE].ravel()])
    return labels


def read(folder: Path) -> tuple[Sequence[LabelledPicture], Float32]:
    """Returns the faces of a folder and their keypoints (N, K, 2)."""
    faces = pictures_csv.read(folder).faces
    return faces, np.stack([face.keypoints for face in faces])


def test_pseudo_label_turns_five_points_into_68_and_leaves_out_misfits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The nose of one face is labelled 12 px beside the position in all other faces, so that face is left out."""
    five, out = tmp_path / "five", tmp_path / "five_p"
    labels = save_drawn(five, nose_px=(0, 0, 0, 12, 0, 0, 0, 0))
    main([str(five), "--out", str(out)])
    expected = f"{out}: 7 of 8 faces; the others have labels far from the predictions\n"
    assert capsys.readouterr().out == expected
    assert read_manifest(out, PSEUDO_LABEL)["metrics"] == {"faces": 8, "kept": 7}

    faces, points = read(out)
    kept = [i for i in range(FACES) if i != 3]
    assert [face.person for face in faces] == [f"yt:Person_{i}" for i in kept]
    for face, i in zip(faces, kept, strict=True):
        assert face.file.read_bytes() == (five / "pictures" / f"{i}.png").read_bytes()
    eye_distance = np.linalg.norm(labels[kept, 0] - labels[kept, 1], axis=-1)
    difference = np.linalg.norm(as_face15(points)[:, FIVE] - labels[kept][:, FIVE], axis=-1)
    assert (difference < 0.03 * eye_distance[:, None]).all()

    prepare.main([str(out), "--split", "all-test", "--out", str(tmp_path / "data")])
    manifest = read_manifest(tmp_path / "data", PREPARE)
    assert manifest["keypoint_set"]["name"] == FACE68.name
    assert manifest["metrics"]["sources"] == {"pictures": {"faces": 7, "never_labelled": []}}


def test_face_agrees_if_all_labels_lie_within_a_tenth_of_the_eye_distance() -> None:
    """Eyes 30 px apart: at most 3 px. All noses are labelled 6 px below the prediction, an offset that is no error."""
    points: Float64 = np.tile(face_68(), (6, 1, 1)).astype(np.float64)
    known = np.full((6, 15, 2), np.nan, np.float32)
    known[:, FIVE] = as_face15(points)[:, FIVE]
    known[:, FACE15.index("nose_tip"), 1] += 6
    known[1, FACE15.index("nose_tip"), 1] += 2.9
    known[2, FACE15.index("nose_tip"), 1] += 3.1
    known[3, FACE15.index("nose_tip"), 1] -= 6  # at the prediction, where no other face is labelled
    known[4, 1:] = np.nan  # only one label is left
    known[5, 0, 0] -= 3.1
    assert agree(points, known).tolist() == [True, True, False, False, True, False]
    points[2] *= 2  # eyes 60 px apart
    known[2] *= 2
    assert not agree(points, known)[2]


def test_mirrored_views_keep_the_horizontal_bias_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that predicts 2 px too far right does so in mirrored pictures, too; a plain mean would cancel it."""
    five = tmp_path / "five"
    save_drawn(five)
    main([str(five), "--out", str(tmp_path / "plain")])
    predict_crops_unchanged = Predictor.predict_crops

    def farther_right(self: Predictor, images: UInt8) -> Keypoints:
        points, errors = predict_crops_unchanged(self, images)
        return Keypoints(points + np.array((2, 0), np.float32), errors)

    monkeypatch.setattr(Predictor, "predict_crops", farther_right)
    main([str(five), "--out", str(tmp_path / "right")])
    plain, right = (read(tmp_path / name)[1] for name in ("plain", "right"))
    crops = crop_of(plain, Predictor("v2-68").spec)
    np.testing.assert_allclose(np.linalg.norm(right - plain, axis=-1).mean(axis=1) * scales(crops), 2, rtol=0.05)


def test_mean_of_views_is_weighted_by_expected_errors_and_keeps_the_bias() -> None:
    """Expected errors of 1 and 2 px: weights of 4 to 1. The bias is 2 px to the right, mirrored to the left."""
    of_views = np.zeros((2, 2, 68, 3), np.float32)
    of_views[:, 0, :, 2], of_views[:, 1, :, 2] = 1, 2
    of_views[:, 1, :, 0] = 5
    plain = mean_of_views(of_views, np.array([False, False]))
    np.testing.assert_allclose(plain[..., 0], 1)
    np.testing.assert_allclose(plain[..., 2], 1.2)
    of_views[:, 0, :, 0], of_views[:, 1, :, 0] = 10 + 2, 10 - 2
    np.testing.assert_allclose(mean_of_views(of_views, np.array([False, True]))[..., 0], 12)
    np.testing.assert_allclose(mean_of_views(of_views[..., :2], np.array([False, True]))[..., 0], 12)


def test_model_with_smaller_expected_errors_has_more_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second predicts 5 px farther right and expects twice the error: 1 px farther right in the mean."""
    five, second = tmp_path / "five", tmp_path / "second"
    save_drawn(five)
    shutil.copytree(ROOT / "artifacts" / "pretrained" / "v2-68", second)
    predict_crops_unchanged = Predictor.predict_crops

    def other(self: Predictor, images: UInt8) -> Keypoints:
        points, errors = predict_crops_unchanged(self, images)
        assert errors is not None
        if self.path.is_relative_to(second):
            return Keypoints(points + np.array((5, 0), np.float32), 2 * errors)
        return Keypoints(points, errors)

    monkeypatch.setattr(Predictor, "predict_crops", other)
    main([str(five), "--views", "1", "--out", str(tmp_path / "one")])
    main([str(five), "--views", "1", "--model", "v2-68", str(second), "--out", str(tmp_path / "two")])
    one, two = (read(tmp_path / name)[1] for name in ("one", "two"))
    difference = np.linalg.norm(two - one, axis=-1) * scales(crop_of(one, Predictor("v2-68").spec))[:, None]
    np.testing.assert_allclose(difference.mean(axis=1), 1, rtol=0.05)
    manifest = read_manifest(tmp_path / "two", PSEUDO_LABEL)
    assert manifest["parameters"] == {"model": f"v2-68 {second}", "views": 1, "exif": None}


@pytest.mark.parametrize("count", ["0", "11"])
def test_number_of_views_must_be_1_to_10(count: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--views", count, "--out", str(tmp_path / "out")])
    assert "argument --views: invalid choice" in capsys.readouterr().err


def scales(crops: Float64) -> Float64:
    """Returns how many px of the crop a px of the picture is, (N,)."""
    return np.asarray(np.sqrt(np.linalg.det(crops[:, :, :2])))


def test_bad_arguments_give_a_one_line_error_and_write_nothing(tmp_path: Path) -> None:
    five = save_five(tmp_path / "five", {"a.png": "yt:Ann"})
    one = save_five(tmp_path / "one", {"a.png": "yt:Ann", "b.png": "yt:Bo"})
    text = (one / "keypoints.csv").read_text(encoding="utf-8").splitlines()
    (one / "keypoints.csv").write_text("\n".join([*text[:2], "b.png,yt:Bo,65,50,,,,,,,,"]) + "\n", encoding="utf-8")
    bad = save_five(tmp_path / "bad", {"a.png": "yt:Ann"})
    (bad / "pictures" / "a.png").write_bytes(b"no picture")
    whole = save_five(tmp_path / "whole", {"a.png": "yt:Ann"})
    points = ",".join(map(str, face_68().ravel()))
    (whole / "keypoints.csv").write_text(f"file,{','.join(FACE68.columns)}\na.png,{points}\n", encoding="utf-8")
    save_pts(tmp_path / "pts", ["a"])
    out = tmp_path / "out"
    for arguments, message in (
        ([five, "--model", "v2"], "five: has labels of face15, and v2 predicts face15; give pictures with some of"),
        ([whole], "whole: has labels of face68, and v2-68 predicts face68; give pictures with some of the 15"),
        ([one], r"keypoints\.csv: row 1 \(line 3\): has fewer than 2 labels, too few for its size; remove it"),
        ([bad], r"a\.png: cannot be decoded as a picture; download it again"),
        ([tmp_path / "pts"], r"keypoints\.csv: no such file"),
        ([five, "--model", "v3"], "v3: "),
    ):
        with pytest.raises(InputError, match=message) as error:
            main([*map(str, arguments), "--out", str(out)])
        assert "\n" not in str(error.value)
        assert not list(tmp_path.glob("*out*"))
    with pytest.raises(InputError, match=r"holds .*five and would be replaced"):
        main([str(five), "--out", str(tmp_path)])
