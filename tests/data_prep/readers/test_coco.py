"""COCO keypoint JSON: what is read, and a one-line error for each fault."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import arrays, prepare
from data_prep.inputs import read_pictures
from data_prep.readers import coco
from data_prep.readers.bad_faces import BadFaces
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15, from_names
from tests.data_prep.pictures import save_picture

NAMES = ["left_ear", "right_ear", "chin"]


def values() -> dict[str, Any]:
    """Two pictures; the second has two faces, one of which has an occluded and an unlabelled keypoint."""
    return {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "b.png"}],
        "categories": [
            {"id": 1, "name": "car"},
            {"id": 2, "name": "cat", "keypoints": list(NAMES), "skeleton": [[1, 3], [3, 2]]},
        ],
        "annotations": [
            {"id": 1, "image_id": 8, "category_id": 2, "keypoints": [80, 20, 2, 30, 21, 1, 0, 0, 0]},
            {"id": 2, "image_id": 7, "category_id": 2, "keypoints": [70, 10, 2, 20, 11.5, 2, 40, 60, 2]},
            {
                "id": 3,
                "image_id": 8,
                "category_id": 2,
                "keypoints": [9, 9, 2, 5, 9, 2, 7, 12, 2],
                "bbox": [2, 3, 9, 12],
            },
            {"id": 4, "image_id": 8, "category_id": 1, "bbox": [0, 0, 5, 5]},
        ],
    }


def write(folder: Path, content: Any, pictures: str = "") -> Path:
    for name in ("a.png", "b.png"):
        save_picture(folder / pictures / name)
    (folder / "cats.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "cats.json"


def error_message(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as error:
        coco.read(path, **options)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))
    return str(error.value)


def test_faces_are_read_with_keypoint_set_visibility_and_boxes(tmp_path: Path) -> None:
    read = coco.read(write(tmp_path, values()))
    assert read.keypoint_set.names == tuple(NAMES)
    assert read.keypoint_set.name == "cat"
    assert read.keypoint_set.skeleton == ((0, 2), (2, 1))  # COCO counts from 1
    assert read.keypoint_set.mirror == (1, 0, 2)
    assert [face.file.name for face in read.faces] == ["a.png", "b.png", "b.png"]
    assert [face.person for face in read.faces] == ["cats:a.png", "cats:b.png", "cats:b.png"]
    assert read.faces[0].keypoints.tolist() == [[70, 10], [20, 11.5], [40, 60]]
    np.testing.assert_array_equal(read.faces[1].keypoints, [[80, 20], [30, 21], [np.nan, np.nan]])
    assert [face.occluded.tolist() for face in read.faces if face.occluded is not None] == [
        [False, False, False],
        [False, True, False],
        [False, False, False],
    ]
    assert [face.box for face in read.faces] == [None, None, (2, 3, 9, 12)]
    assert read.description == "2 pictures with 3 faces of the category cat"


@pytest.mark.parametrize(
    ("given", "file_name", "folder"),
    [
        ("pictures", "a.png", "pictures"),  # --images
        ("pictures", "upload\\7\\a.png", "pictures"),  # a name with a tool's own folders
        ("pictures", "/data/a.png", "pictures"),
        (None, "a.png", ""),  # beside the file, as Roboflow exports it
        (None, "a.png", "images"),  # as CVAT exports it
        (None, "images/a.png", "images"),  # as Label Studio exports it
        (".", "a.png", "deep/down"),
    ],
)
def test_pictures_are_found_where_labelling_tools_put_them(
    tmp_path: Path, given: str | None, file_name: str, folder: str
) -> None:
    content = values()
    for image in content["images"]:
        image["file_name"] = file_name.replace("a.png", image["file_name"])
    path = write(tmp_path, content, folder)
    read = coco.read(path, tmp_path / given if given else None)
    assert [face.file for face in read.faces][:1] == [tmp_path / folder / "a.png"]


def test_pictures_are_found_beside_the_annotations_folder(tmp_path: Path) -> None:
    """CVAT: `annotations/NAME.json` and `images/SUBSET/`; with `--skip-bad`, one picture may be missing."""
    path = write(tmp_path / "annotations", values())
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        (path.parent / name).rename(tmp_path / "images" / name)
    (tmp_path / "images" / "default").mkdir()
    (tmp_path / "images" / "b.png").rename(tmp_path / "images" / "default" / "b.png")
    assert [face.file.parent.name for face in coco.read(path).faces] == ["images", "default", "default"]
    (tmp_path / "images" / "a.png").unlink()
    assert [face.file.parent.name for face in coco.read(path, bad=BadFaces(skip=True)).faces] == ["default"] * 2


def test_file_names_that_two_images_share_are_refused(tmp_path: Path) -> None:
    content = values()
    content["images"] = [{"id": 7, "file_name": "x/a.png"}, {"id": 8, "file_name": "y/a.png"}]
    assert "annotation 1 (id 2): the picture" in error_message(write(tmp_path, content))
    content["images"] = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "./a.png"}]
    assert "image 8 is the picture ./a.png of image 7" in error_message(write(tmp_path, content))


def test_crowds_and_annotations_without_keypoints_are_skipped_and_counted(tmp_path: Path) -> None:
    content = values()
    content["annotations"][0]["keypoints"] = [0] * 9
    content["annotations"][1] |= {"iscrowd": 1}
    content["annotations"].append({"id": 5, "image_id": 7, "category_id": 2, "bbox": [1, 1, 2, 2]})
    read = coco.read(write(tmp_path, content))
    assert len(read.faces) == 1
    assert read.description == (
        "1 picture with 1 face of the category cat; left out: 2 annotations without a labelled keypoint, 1 crowd"
    )
    content["annotations"] = content["annotations"][:2]
    assert "holds no annotation of 'cat' with a labelled keypoint" in error_message(write(tmp_path, content))


def test_names_of_a_built_in_set_give_that_set_in_its_order(tmp_path: Path) -> None:
    content = values()
    names = list(reversed(FACE15.names))
    content["categories"] = [{"id": 2, "name": "face", "keypoints": names}]
    numbers = [value for k in range(15) for value in (10 + k, 20, 2)]
    content["annotations"] = [{"id": 1, "image_id": 7, "category_id": 2, "keypoints": numbers}]
    read = coco.read(write(tmp_path, content))
    assert read.keypoint_set == FACE15
    assert read.faces[0].keypoints[:, 0].tolist() == list(range(24, 9, -1))

    five = [FACE15.names[k] for k in FACE15.label_sources[2].keypoints]
    content["categories"][0]["keypoints"] = five
    content["annotations"][0]["keypoints"] = numbers[:15]
    read = coco.read(write(tmp_path, content))
    assert (read.keypoint_set, read.label_source) == (FACE15, 2)
    assert np.isnan(read.faces[0].keypoints).any(axis=1).sum() == 10


def test_given_set_must_contain_all_names_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, values())
    cats = from_names("cats4", ["tail", *NAMES], "cats.toml")
    read = coco.read(path, keypoint_set=cats)
    assert read.keypoint_set == cats
    np.testing.assert_array_equal(read.faces[0].keypoints[0], [np.nan, np.nan])
    with pytest.raises(InputError, match="has chin, not among the 2 keypoints of ears"):
        coco.read(path, keypoint_set=from_names("ears", NAMES[:2], "ears.toml"))


def test_predictions_become_labels_once_reviewed(tmp_path: Path) -> None:
    content = values()
    first, second, third, _ = content["annotations"]
    first |= {"attributes": {"reviewed": False}, "score": 0.9}
    second |= {"attributes": {"reviewed": True}, "score": 0.9}
    third |= {"score": 0.9}  # a tool has dropped the attributes
    read = coco.read(write(tmp_path, content))
    assert [face.reviewed for face in read.faces] == [True, False, False]
    second["attributes"]["reviewed"] = "perhaps"
    assert "annotation 1 (id 2): has 'perhaps' as reviewed; write 1 if" in error_message(write(tmp_path, content))


def test_several_categories_need_the_category_option(tmp_path: Path) -> None:
    content = values()
    content["categories"][0]["keypoints"] = ["wheel"]
    content["annotations"][3]["keypoints"] = [4, 4, 2]
    path = write(tmp_path, content)
    assert error_message(path).endswith(
        "has several categories with keypoints (car, cat); choose one by --category NAME"
    )
    assert coco.read(path, category="car").keypoint_set.names == ("wheel",)
    assert "has no categories 'dog' with keypoints; there are car, cat" in error_message(path, category="dog")


BAD_ANNOTATIONS = [
    ({"image_id": 9}, "annotation 1 (id 2): is of image 9, which `images` does not list"),
    ({"image_id": [7]}, "annotation 1 (id 2): is of image [7], which `images` does not list"),
    ({"keypoints": [70, 10, 20, 11, 40, 60]}, "has 6 numbers in `keypoints`, expected 9: x, y and visibility of the 3"),
    ({"keypoints": [70, 10, 2, 20]}, "has 4 numbers in `keypoints`, expected 9"),
    ({"keypoints": {"x": 1}}, "has no list of numbers in `keypoints`, expected 9"),
    (
        {"keypoints": [70, 10, 2, float("nan"), 11, 2, 40, 60, 2]},
        "has 'nan' as value 3 of `keypoints`, which is not a num",
    ),
    ({"keypoints": [70, 10, 2, 20, "11", 2, 40, 60, 2]}, "has '11' as value 4 of `keypoints`"),
    ({"keypoints": [70, 10, 2, 20, 11, 2, 40, 10**400, 2]}, "as value 7 of `keypoints`, which is not a number in px"),
    ({"keypoints": [70, 10, 2, 20, 11, 3, 40, 60, 2]}, "has the visibility 3 for right_ear; expected 0 (not labelled)"),
    ({"keypoints": [0, 0, 2, 20, 11, 2, 40, 60, 2]}, "has 0, 0 as left_ear, which often stands for a missing label"),
    ({"bbox": [5, 5, 0, 9]}, "has a box of 0 x 9 px; correct it, or delete `bbox`"),
    ({"bbox": [5, 5, 9, -1]}, "has a box of 9 x -1 px"),
    ({"bbox": [5, 5, 9]}, "`bbox` is [5, 5, 9], expected x, y, width and height"),
    ({"bbox": [5, None, 9, 9]}, "has 'None' as value 1 of `bbox`"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ANNOTATIONS)
def test_bad_annotation_is_refused_or_skipped(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = values()
    content["annotations"][1] |= change
    path = write(tmp_path, content)
    assert message in error_message(path)
    bad = BadFaces(skip=True)
    assert len(coco.read(path, bad=bad).faces) == 2
    assert len(bad.lines) == 1
    assert message in bad.lines[0]


def test_missing_picture_is_refused_or_skipped(tmp_path: Path) -> None:
    path = write(tmp_path, values())
    (tmp_path / "b.png").unlink()
    assert "annotation 0 (id 1): the picture" in error_message(path)
    assert "b.png is missing; add it" in error_message(path)
    bad = BadFaces(skip=True)
    assert [face.file.name for face in coco.read(path, bad=bad).faces] == ["a.png"]
    assert len(bad.lines) == 2
    with pytest.raises(InputError, match=r"nowhere: no such folder; give the one that holds the pictures by --images"):
        coco.read(path, tmp_path / "nowhere")


BAD_FILES = [
    ([1, 2], "is JSON, but not COCO: it lacks the lists `images` and `annotations`"),
    ([], "is JSON, but not COCO"),
    ({"images": [], "annotations": {}}, "is JSON, but not COCO"),
    ({"shapes": [], "imagePath": "a.png"}, "is a LabelMe file of one picture; give the folder that holds it"),
    ({"keypoint_set": "face15", "pictures": []}, "is the keypoints.json of `facial-keypoints predict`; give the keyp"),
    ([{"image_id": 1, "score": 0.5}], "is a list of COCO results"),
    ([{"id": 1, "data": {}}], "is a list of Label Studio's tasks; export the project as COCO"),
    (
        {"images": [], "annotations": [], "categories": [{"id": 1, "name": "car"}]},
        "without keypoints (categories: car)",
    ),
    ({"images": [], "annotations": []}, "is COCO JSON without keypoints"),
    ({**values(), "images": [{"id": 1}]}, "image 0: has no `file_name`"),
    ({**values(), "images": [{"file_name": "a.png"}]}, "image 0 (a.png): has no `id`"),
    ({**values(), "images": values()["images"] * 2}, "image 2 (a.png): has the id 7 of an earlier one"),
    ({**values(), "annotations": [5]}, "annotation 0: is not an annotation"),
]


@pytest.mark.parametrize(("content", "message"), BAD_FILES)
def test_other_kinds_of_json_are_recognized_and_refused(tmp_path: Path, content: Any, message: str) -> None:
    assert message in error_message(write(tmp_path, content))


@pytest.mark.parametrize(
    ("category", "message"),
    [
        ({"keypoints": ["chin", "chin", "nose"]}, "2 keypoints have the name 'chin'"),
        ({"keypoints": "chin"}, "category cat: `keypoints` must be a list of names"),
        ({"skeleton": [[0, 1]]}, "`skeleton` has [0, 1], expected pairs of keypoints counted from 1 to 3"),
        ({"skeleton": [[1, 2, 3]]}, "`skeleton` has [1, 2, 3]"),
        ({"skeleton": "1-2"}, "`skeleton` has 1-2"),
    ],
)
def test_inconsistent_category_is_refused(tmp_path: Path, category: dict[str, Any], message: str) -> None:
    content = values()
    content["categories"][1] |= category
    assert message in error_message(write(tmp_path, content))


@pytest.mark.parametrize("text", ["", "{", '{"images": [', "\x00", "[" * 100_000, '{"a": "\udcff"}'])
def test_damaged_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "is not valid JSON" in error_message(path)
    assert "no such file" in error_message(tmp_path / "none.json")


def test_error_for_a_folder_names_the_coco_file_in_it(tmp_path: Path) -> None:
    path = write(tmp_path / "annotations", values())
    for folder in (tmp_path, path.parent):
        with pytest.raises(InputError, match=f"none of the known layouts .* give its label file instead, {path}$"):
            read_pictures(folder)


def test_coco_file_is_prepared_with_boxes_and_visibility(tmp_path: Path) -> None:
    """Faces are cropped by their boxes or keypoints; visibility is stored beside the mask of labels."""
    path, out = write(tmp_path, values()), tmp_path / "data"
    prepare.main([str(path), "--split", "all-test", "--out", str(out)])
    split = arrays.load_split(out, "test", arrays.load_keypoint_set(arrays.load_data_manifest(out), out))
    assert split.images.shape == (3, 128, 128, 1)
    assert split.labelled.tolist() == [[True] * 3, [True, True, False], [True] * 3]
    assert split.visible is not None
    assert split.visible.tolist() == [[True] * 3, [True, False, False], [True] * 3]
    assert split.crops is not None
    scales = split.crops[:, 0, 0]
    np.testing.assert_allclose(scales, 128 / 1.2 / np.array([50, 50, 12]), rtol=1e-6)  # longer sides of the boxes
    assert not (out / "scratch").exists()
    with pytest.raises(InputError, match=r"--category cat: is for COCO files; synthetic is none, leave it out"):
        prepare.main(["synthetic", "--category", "cat", "--out", str(tmp_path / "other")])
