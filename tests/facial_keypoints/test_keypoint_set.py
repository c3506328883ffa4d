"""Keypoint sets: the built-in ones are consistent; those of a user are read from files or names and checked."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.codec import flipped_back, output_points
from facial_keypoints.crops import eye_centers
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import (
    BOX_DIAGONAL,
    FACE15,
    FACE68,
    KEYPOINT_SETS,
    KeypointSet,
    Normalizer,
    as_face15,
    difference,
    from_dict,
    from_names,
    mirror_of_names,
    read,
    to_dict,
)


def mirror_of(keypoint_set: KeypointSet) -> tuple[int, ...]:
    assert keypoint_set.mirror is not None
    return keypoint_set.mirror


for_each_set = pytest.mark.parametrize("keypoint_set", KEYPOINT_SETS.values(), ids=KEYPOINT_SETS.keys())


@for_each_set
def test_mirroring_keypoints_twice_restores_them(keypoint_set: KeypointSet) -> None:
    mirror = mirror_of(keypoint_set)
    assert [mirror[k] for k in mirror] == list(range(len(keypoint_set)))


@for_each_set
def test_mirroring_swaps_left_and_right_keypoints(keypoint_set: KeypointSet) -> None:
    for k, name in enumerate(keypoint_set.names):
        assert ("left" in name) == ("right" in keypoint_set.names[mirror_of(keypoint_set)[k]])


@for_each_set
def test_first_label_source_labels_all_keypoints(keypoint_set: KeypointSet) -> None:
    first = keypoint_set.label_sources[0]
    assert first.keypoints == tuple(range(len(keypoint_set)))
    assert first.own == ()


@for_each_set
def test_keypoints_of_each_label_source_are_closed_under_mirroring(keypoint_set: KeypointSet) -> None:
    for source in keypoint_set.label_sources:
        assert set(source.own) <= set(source.keypoints)
        for keypoints in (source.keypoints, source.own):
            assert {mirror_of(keypoint_set)[k] for k in keypoints} == set(keypoints)


@for_each_set
def test_skeleton_and_normalizers_refer_to_existing_keypoints(keypoint_set: KeypointSet) -> None:
    known = range(len(keypoint_set))
    assert all(k in known for line in keypoint_set.skeleton for k in line)
    for normalizer in keypoint_set.normalizers:
        assert {mirror_of(keypoint_set)[k] for k in normalizer.first} == set(normalizer.second)


@for_each_set
def test_each_keypoint_and_its_mirror_image_are_in_one_region(keypoint_set: KeypointSet) -> None:
    assert sorted(k for _, keypoints in keypoint_set.regions for k in keypoints) == list(range(len(keypoint_set)))
    for _, keypoints in keypoint_set.regions:
        assert {mirror_of(keypoint_set)[k] for k in keypoints} == set(keypoints)


@for_each_set
def test_partial_label_sources_label_different_keypoints(keypoint_set: KeypointSet) -> None:
    """Readers recognize a source that labels only some keypoints by which ones it labels."""
    partial = [source.keypoints for source in keypoint_set.label_sources if len(source.keypoints) < len(keypoint_set)]
    assert len(set(partial)) == len(partial)


def test_label_file_has_an_x_and_a_y_column_for_each_keypoint() -> None:
    assert FACE15.columns[:3] == ["left_eye_center_x", "left_eye_center_y", "right_eye_center_x"]
    assert len(FACE15.columns) == 30
    assert FACE15.columns[2 * FACE15.index("nose_tip")] == "nose_tip_x"


def test_output_points_of_face15_grow_with_the_label_sources() -> None:
    assert [len(output_points(FACE15, sources)) for sources in [(), (0,), (0, 1), (0, 2), (0, 1, 2)]] == [
        15,
        15,
        15 + 2,
        15 + 5,
        15 + 2 + 5,
    ]


def test_face68_follows_the_order_of_300_w() -> None:
    names = FACE68.names
    assert [names[k] for k in (0, 8, 16, 27, 30, 33)] == [
        "jaw_1",
        "jaw_9",
        "jaw_17",
        "nose_bridge_1",
        "nose_bridge_4",
        "nose_base_3",
    ]
    assert (names[36], names[45], names[48], names[67]) == ("right_eye_1", "left_eye_4", "outer_lip_1", "inner_lip_8")
    assert len(output_points(FACE68, (0, 1))) == 68 + 68


def test_as_face15_derives_15_points_from_68() -> None:
    """Eye centers are means of six points; the sparse source uses the base of the nose as `nose_tip`."""
    points = np.stack([np.arange(68.0), np.zeros(68)], axis=-1)
    assert as_face15(points)[:4, 0].tolist() == [44.5, 38.5, 42, 45]
    nose = FACE15.index("nose_tip")
    assert (as_face15(points)[nose, 0], as_face15(points, 1)[nose, 0]) == (30, 33)


@pytest.mark.parametrize("label_source", [0, 1])
def test_as_face15_commutes_with_mirroring(label_source: int) -> None:
    points = np.random.default_rng(0).normal(size=(68, 2))
    expected = as_face15(points, label_source)[list(mirror_of(FACE15))]
    np.testing.assert_allclose(as_face15(points[list(mirror_of(FACE68))], label_source), expected, atol=1e-12)


@for_each_set
def test_keypoint_set_survives_a_json_round_trip(keypoint_set: KeypointSet) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(keypoint_set))), "file") == keypoint_set


def test_built_in_sets_define_eyes_and_roles() -> None:
    assert FACE15.eyes == ((0,), (1,))
    assert FACE68.eyes == (tuple(range(42, 48)), tuple(range(36, 42)))
    assert (FACE15.role("nose_tip"), FACE68.role("nose_tip"), FACE68.role("tail")) == ((10,), (30,), ())


@pytest.mark.parametrize(
    ("names", "mirror"),
    [
        (["left_eye", "right_eye", "nose"], (1, 0, 2)),
        (["l_eye", "r_eye"], (1, 0)),
        (["eye.L", "nose", "eye.R"], (2, 1, 0)),
        (["LeftEye", "bright_spot", "RightEye"], (2, 1, 0)),
        (["eyeleft", "eyeright"], (1, 0)),
        (["0", "1", "2"], None),
        (["nose", "chin"], None),
        (["left_eye", "nose"], None),  # a left keypoint without a right one
    ],
)
def test_mirror_pairs_are_derived_from_left_and_right_in_names(
    names: list[str], mirror: tuple[int, ...] | None
) -> None:
    assert mirror_of_names(names) == mirror


def test_names_alone_define_a_set_without_mirror_eyes_or_skeleton() -> None:
    points = from_names("hand", [str(k) for k in range(21)], "hand.csv")
    assert (points.mirror, points.eyes, points.skeleton) == (None, None, ())
    assert points.normalizers == (BOX_DIAGONAL,)
    assert points.regions == (("all", tuple(range(21))),)
    assert [source.keypoints for source in points.label_sources] == [tuple(range(21))]


def test_eyes_found_by_name_become_the_normalizer() -> None:
    person = from_names("person", ["nose", "left_eye", "right_eye"], "coco.json")
    assert person.normalizers == (Normalizer("eye centers", (1,), (2,)),)
    assert person.role("nose_tip") == (0,)
    assert from_dict(to_dict(person), "file") == person


def test_flipping_a_set_without_mirror_pairs_is_refused() -> None:
    points = output_points(from_names("hand", ["0", "1"], "hand.csv"))
    assert len(points) == 2
    with pytest.raises(InputError, match="no mirror pairs"):
        flipped_back(np.zeros((1, 2, 2), np.float32), 96, points)


def test_eye_centers_of_a_set_without_eyes_are_refused() -> None:
    with pytest.raises(InputError, match="the keypoint set hand has no eyes"):
        eye_centers(np.zeros((2, 2)), from_names("hand", ["0", "1"], "hand.csv"))


def test_difference_names_keypoints_order_or_label_sources() -> None:
    one = from_names("one", ["a", "b", "c"], "one.csv")
    assert difference(one, replace(from_names("other", ["a", "b", "c"], "x"), skeleton=((0, 1),))) == ""
    assert difference(one, from_names("other", ["c", "b", "a"], "x")) == "the order of the keypoints differs"
    assert difference(one, from_names("other", ["a"], "x")) == "only one has b, c"
    assert difference(from_names("hand", [str(k) for k in range(21)], "x"), one) == (
        "only hand has 0, 1, 2 and 18 more; only one has a, b, c"
    )
    assert difference(FACE15, replace(FACE15, label_sources=FACE15.label_sources[:1])) == "the label sources differ"


def test_toml_file_defines_mirror_skeleton_normalizers_regions_and_roles(tmp_path: Path) -> None:
    (tmp_path / "mouth.toml").write_text(
        """keypoints = ["a", "b", "top", "bottom"]
        mirror = [["a", "b"]]
        skeleton = [["a", "top", "b"]]
        normalizers = [{ name = "corners", first = ["a"], second = ["b"] }]
        [regions]
        lips = ["top", "bottom"]
        [roles]
        mouth_left_corner = ["a"]
        """,
        encoding="utf-8",
    )
    assert read(tmp_path / "mouth.toml") == KeypointSet(
        name="mouth",
        names=("a", "b", "top", "bottom"),
        mirror=(1, 0, 2, 3),
        normalizers=(Normalizer("corners", (0,), (1,)),),
        regions=(("lips", (2, 3)), ("others", (0, 1))),
        skeleton=((0, 2, 1),),
        label_sources=from_names("mouth", ["a", "b", "top", "bottom"], "").label_sources,
        roles=(("mouth_left_corner", (0,)),),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('keypoints = ["a", "a"]', "2 keypoints have the name 'a'; rename them"),
        ("keypoints = []", "`keypoints` must be a list of one name or more"),
        ('keypoints = ["a"]\nmirrors = []', "has the unknown key 'mirrors'"),
        ('keypoints = ["a", "b", "c"]\nmirror = [["a"]]', "expected pairs of two keypoints"),
        ('keypoints = ["a", "b", "c"]\nmirror = [["a", "a"]]', "expected pairs of two keypoints"),
        ('keypoints = ["a", "b", "c"]\nmirror = [["a", "b"], ["b", "c"]]', "each keypoint in one pair"),
        ('keypoints = ["a"]\nskeleton = [["a", "z"]]', "skeleton has 'z', which is not one of the 1 keypoints"),
        ('keypoints = ["a", "b"]\nnormalizers = [{name = "n", first = ["a"]}]', "the normalizer 'n' needs two groups"),
        ('keypoints = ["a"]\n[regions]\none = ["a"]\ntwo = ["a"]', "a keypoint is in two regions"),
        ('keypoints = ["a"]\n[roles]\ntail = ["a"]', "known roles: left_eye_center"),
        ('keypoints = ["a", "b"]\nlabel_sources = [{name = "s", keypoints = ["a"]}]', "must label all keypoints"),
        ("keypoints", "is not a readable TOML file"),
    ],
)
def test_invalid_keypoint_file_is_a_one_line_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "keypoints.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_outline_roles_keep_the_order_of_their_keypoints(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d"]
    text = f'keypoints = {json.dumps(names)}\n[roles]\ninner_lip = ["c", "b", "a", "d"]'
    (tmp_path / "mouth.toml").write_text(text, encoding="utf-8")
    assert read(tmp_path / "mouth.toml").role("inner_lip") == (2, 1, 0, 3)


@pytest.mark.parametrize("outline", [["a", "b"], ["a", "b", "c", "d", "e"]])
def test_outline_with_too_few_or_an_odd_number_of_keypoints_is_refused(outline: list[str]) -> None:
    with pytest.raises(InputError, match=r"mouth.toml: roles.inner_lip has \d keypoints; give an even number"):
        from_dict({"name": "mouth", "keypoints": list("abcdef"), "roles": {"inner_lip": outline}}, "mouth.toml")
