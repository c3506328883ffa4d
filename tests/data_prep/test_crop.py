"""From a labelled picture to its crop, checked by hand, and back to the picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep.crop import WHOLE, CropOptions, by_box, crop
from data_prep.readers import frames, npz, pictures_csv, pts
from data_prep.readers.bad_faces import BadFaces
from data_prep.readers.labelled_pictures import LabelledPictures
from data_prep.readers.labels import read_keypoints
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32
from facial_keypoints.boxes import given_boxes
from facial_keypoints.crops import crop_of_boxes
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, FACE68, as_face15, from_names
from facial_keypoints.spec import Crop, ModelSpec
from tests.data_prep.pictures import face_68, save_five, save_frames, save_picture, save_pts

NOSE = FACE15.index("nose_tip")


@pytest.fixture
def pictures(tmp_path: Path) -> LabelledPictures:
    return pts.read(save_pts(tmp_path / "set68", ["a", "b", "c"]))


def test_prepare_and_predict_crop_a_box_identically() -> None:
    """A model without eye keypoints must see the same crops in prediction as in training."""
    hand, box = from_names("hand", ["thumb", "wrist"], "hand.csv"), (10.0, 20.0, 40.0, 30.0)
    trained = by_box(np.full((2, 2), np.nan, np.float32), "hand.csv", 64, box)
    spec = ModelSpec(hand, (0,), False, Crop(64, 64, 1, ((1.0, 1.0), (2.0, 2.0))))
    np.testing.assert_allclose(crop_of_boxes(given_boxes([box]), spec), [trained])


def test_68_points_are_cropped_to_a_square_1_2_times_their_box(pictures: LabelledPictures) -> None:
    """The box is 60 x 70 px around (50, 65), so 84 px become 128; its top lies 7 px below that of the square."""
    faces = crop(pictures, CropOptions())
    assert faces.images.shape == (3, 128, 128, 1)
    assert faces.keypoint_set == FACE68
    scale = 128 / 84
    expected = (face_68() - (50, 65)) * scale + 63.5
    np.testing.assert_allclose(faces.keypoints[0], expected, atol=1e-4)
    assert faces.keypoints[0, 0, 1] == pytest.approx(63.5 - 35 * scale)
    assert faces.label_sources is not None
    assert faces.label_sources.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "crop_options", [CropOptions(), CropOptions(as_15=True), CropOptions(crop=WHOLE, size_px=224, color=True)]
)
def test_inverse_crops_map_keypoints_back_to_the_picture(pictures: LabelledPictures, crop_options: CropOptions) -> None:
    faces = crop(pictures, crop_options)
    assert faces.crops is not None
    back = geometry.transform(faces.keypoints, geometry.inverse(faces.crops))
    true = as_face15(face_68()) if crop_options.as_15 else face_68()
    assert np.nanmax(np.abs(back - true)) < 1e-3


def test_pixels_move_with_the_keypoints(tmp_path: Path) -> None:
    """A white square around one keypoint of a black picture is white around the same keypoint of its crop."""
    import cv2

    folder = save_pts(tmp_path / "set", ["a"])
    black = np.zeros((120, 130), np.uint8)
    x, y = face_68()[8].astype(int)
    black[y - 6 : y + 7, x - 6 : x + 7] = 255
    cv2.imwrite(str(folder / "a.png"), black)
    (folder / "a.jpg").unlink()
    faces = crop(pts.read(folder), CropOptions())
    x, y = faces.keypoints[0, 8].round().astype(int)
    assert faces.images[0, y, x, 0] == 255
    inside = faces.images[0, ..., 0] > 127
    assert abs(np.argwhere(inside).mean(axis=0) - (y, x)).max() < 1


def test_whole_picture_keeps_its_aspect_ratio(pictures: LabelledPictures) -> None:
    """130 x 120 px fit 260 px by a factor of 2; the shorter side is centered."""
    faces = crop(pictures, CropOptions(crop=WHOLE, size_px=260))
    assert faces.images.shape[1:] == (260, 260, 1)
    assert faces.crops is not None
    corners = geometry.transform(np.array([[[-0.5, -0.5], [129.5, 119.5]]]), faces.crops[:1])
    np.testing.assert_allclose(corners[0], [[-0.5, 9.5], [259.5, 249.5]])


def test_crops_place_the_eyes_as_in_the_published_15_point_set(tmp_path: Path) -> None:
    people = {f"{i}.jpg": f"person {i}" for i in range(40)}
    faces = crop(pictures_csv.read(save_five(tmp_path / "five", people)), CropOptions(crops_per_face=10))
    assert faces.images.shape == (400, 96, 96, 1)
    assert faces.groups[:11].tolist() == ["person 0"] * 10 + ["person 1"]
    eyes = faces.keypoints[:, :2]
    np.testing.assert_allclose(eyes.mean(axis=1).mean(axis=0), (48.5, 37.7), atol=0.3)
    apart = np.hypot(*(eyes[:, 0] - eyes[:, 1]).T)
    assert apart.mean() == pytest.approx(36.4, abs=0.5)
    assert apart.std() == pytest.approx(3.6, abs=0.4)


def test_68_points_give_both_label_sources_of_the_15_keypoints(pictures: LabelledPictures) -> None:
    faces = crop(pictures, CropOptions(as_15=True, both_label_sources=True))
    assert faces.label_sources is not None
    assert faces.label_sources.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(faces.images[:3], faces.images[3:])
    labelled = np.isfinite(faces.keypoints[3]).all(axis=-1)
    assert np.flatnonzero(labelled).tolist() == list(FACE15.label_sources[1].keypoints)
    assert (np.abs(faces.keypoints[:3, NOSE] - faces.keypoints[3:, NOSE]).max(axis=-1) > 0.1).all()


def test_a_keypoint_outside_its_crop_is_unlabelled(pictures: LabelledPictures) -> None:
    """The lower lip is far below the crop that the eyes define."""
    points = face_68()
    points[57] = (50, 230)
    faces = crop(replace(pictures, faces=[replace(pictures.faces[0], keypoints=points)]), CropOptions(as_15=True))
    assert np.isnan(faces.keypoints[0, FACE15.index("mouth_center_bottom_lip")]).all()
    assert np.isfinite(faces.keypoints[0, :2]).all()


def test_occlusion_is_kept_for_68_and_15_keypoints(pictures: LabelledPictures) -> None:
    """One of the 15 keypoints is occluded if any of the points that it averages is; an unlabelled point is not."""
    points, occluded = face_68(), np.zeros(68, bool)
    points[21] = np.nan  # the right eyebrow's inner end
    occluded[[0, 21, 36, 33]] = True  # the jaw, a point of the right eye, the base of the nose
    first, *others = pictures.faces
    faces = crop(replace(pictures, faces=[replace(first, keypoints=points, occluded=occluded), *others]), CropOptions())
    assert np.flatnonzero(faces.occluded[0]).tolist() == [0, 33, 36]
    assert not faces.occluded[1:].any()
    both = CropOptions(as_15=True, both_label_sources=True)
    faces = crop(replace(pictures, faces=[replace(first, keypoints=points, occluded=occluded)]), both)
    hidden = [[FACE15.names[k] for k in np.flatnonzero(of)] for of in faces.occluded]
    assert hidden[0] == ["right_eye_center", "right_eye_outer_corner"]
    assert {"right_eye_center", "nose_tip"} <= set(hidden[1])  # the sparse source labels the nose's base as its tip
    assert "left_eye_center" not in hidden[1]
    assert not crop(pictures, CropOptions()).occluded.any()


def test_missing_labels_do_not_widen_a_crop(pictures: LabelledPictures) -> None:
    """Without the point at the top left the box is that of the others."""
    points = face_68()
    points[0] = np.nan
    faces = crop(replace(pictures, faces=[replace(pictures.faces[0], keypoints=points)]), CropOptions())
    labelled = np.delete(points, 0, axis=0)
    side = 1.2 * float(np.ptp(labelled, axis=0).max())
    assert faces.crops is not None
    assert faces.crops[0, 0, 0] == pytest.approx(128 / side)
    with pytest.raises(InputError, match=r"a\.pts: has no label; label its keypoints, or skip the face"):
        crop(replace(pictures, faces=[replace(pictures.faces[0], keypoints=points * np.nan)]), CropOptions())


def test_eye_with_a_missing_point_still_places_the_crop(pictures: LabelledPictures) -> None:
    """The eye center is then unlabelled. A face without a point on one eye is refused: its size is unknown."""
    points = face_68()
    points[37] = np.nan
    first = pictures.faces[0]
    whole = crop(replace(pictures, faces=[first]), CropOptions(as_15=True))
    faces = crop(replace(pictures, faces=[replace(first, keypoints=points)]), CropOptions(as_15=True))
    assert faces.crops is not None
    assert whole.crops is not None
    np.testing.assert_allclose(faces.crops, whole.crops, atol=1e-5)  # all six points of an eye are in one place
    assert np.flatnonzero(np.isnan(faces.keypoints[0]).any(axis=1)).tolist() == [FACE15.index("right_eye_center")]
    points[36:42] = np.nan
    with pytest.raises(InputError, match=r"a\.pts: its eye centers are unlabelled or at one point"):
        crop(replace(pictures, faces=[replace(first, keypoints=points)]), CropOptions(as_15=True))


def test_undecodable_picture_is_refused_or_skipped(tmp_path: Path) -> None:
    folder = save_frames(tmp_path / "frames", {"training": ["A_1.jpg", "B_1.jpg"]})
    whole = (folder / "training" / "A_1.jpg").read_bytes()
    (folder / "training" / "A_1.jpg").write_bytes(whole[: len(whole) // 2])
    pictures = frames.read(folder)
    with pytest.raises(InputError, match=r"A_1\.jpg: cannot be decoded as a picture; .* --skip-bad"):
        crop(pictures, CropOptions())
    bad = BadFaces(skip=True)
    assert len(crop(pictures, CropOptions(), bad)) == 1
    assert [line.partition(":")[0] for line in bad.lines] == [str(folder / "training" / "A_1.jpg")]
    (folder / "training" / "B_1.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"none of its faces can be used; the first: .*A_1\.jpg: cannot be decoded"):
        crop(pictures, CropOptions(), BadFaces(skip=True))


def test_several_identical_crops_per_face_are_refused(pictures: LabelledPictures) -> None:
    for crop_options in (CropOptions(crops_per_face=2), CropOptions(crops_per_face=2, as_15=True, crop=WHOLE)):
        with pytest.raises(InputError, match="--crops-per-face 2: these crops would all be the same"):
            crop(pictures, crop_options)


def test_keypoints_at_one_point_are_refused(pictures: LabelledPictures) -> None:
    at_one = np.full((68, 2), 50, np.float32)
    faces = replace(pictures, faces=[replace(pictures.faces[0], keypoints=at_one)])
    with pytest.raises(InputError, match=r"a\.pts: its keypoints are all at one point, so the face has no size"):
        crop(faces, CropOptions())
    with pytest.raises(InputError, match=r"a\.pts: its eye centers are unlabelled or at one point"):
        crop(faces, CropOptions(as_15=True))


def test_real_15_points_are_a_similarity_of_their_pictures_keypoints(real_data: Path) -> None:
    """The first rows of each label source, except pictures that occur twice, whose labels were perturbed on purpose."""
    keypoints = read_keypoints(real_data / "faces15" / npz.KEYPOINTS).keypoints
    origins = pd.read_csv(real_data / "faces15" / npz.GROUPS)["origin"]
    labelled_pictures = [*frames.read(real_data / "youtube68").faces, *pts.read(real_data / "lfpw68").faces]
    points_of = {str(face.file.relative_to(real_data)): face.keypoints for face in labelled_pictures}
    once = ~origins.duplicated(keep=False).to_numpy()
    for source, rows in ((0, np.arange(2284)), (1, np.arange(2284, len(keypoints)))):
        chosen = rows[once[rows] & (np.isfinite(keypoints[rows]).all(axis=-1).sum(axis=1) >= 4)][:50]
        assert len(chosen) == 50
        for row in chosen:
            true = as_face15(points_of[origins[row]], source)
            assert distance_from_similarity(true, keypoints[row]) < 0.02, f"row {row}, source {source}"


def distance_from_similarity(origin: Float32, target: Float32) -> float:
    """Returns the largest difference in px, x or y, that the best similarity transform of the points leaves."""
    seen = np.isfinite(target).all(axis=-1)
    matrix = geometry.fit_similarity(origin[seen], target[seen])
    return float(np.abs(geometry.transform(origin[seen][None], matrix)[0] - target[seen]).max())


def test_picture_with_alpha_is_cropped_to_rgb(tmp_path: Path) -> None:
    folder = save_pts(tmp_path / "set", ["a"])
    (folder / "a.jpg").unlink()
    save_picture(folder / "a.png", channels=4)
    assert crop(pts.read(folder), CropOptions(color=True)).images.shape == (1, 128, 128, 3)
