"""The model spec is written to JSON and read back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.spec import Crop, ModelSpec, from_json, to_json

numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)
crops = st.builds(
    Crop,
    st.integers(1, 500),
    st.integers(1, 500),
    st.sampled_from([1, 3]),
    st.tuples(*[st.tuples(numbers, numbers)] * len(FACE15)),
)
specs = st.builds(ModelSpec, st.just(FACE15), st.sampled_from([(0,), (0, 1), (0, 2), (0, 1, 2)]), st.booleans(), crops)
SPEC = ModelSpec(FACE15, (0, 1), True, Crop(96, 96, 1, ((1.0, 2.0),) * 15))


@given(specs)
def test_spec_survives_a_json_round_trip(spec: ModelSpec) -> None:
    assert from_json(json.loads(json.dumps(to_json(spec))), "m.onnx") == spec


def test_json_lists_keypoints_and_output_points_of_each_label_source() -> None:
    values = to_json(SPEC)
    assert values["keypoint_set"]["keypoints"][10] == "nose_tip"
    assert values["output_points"]["complete"] == list(range(15))
    assert values["output_points"]["sparse"][10] == 15  # the base of the nose comes after the 15 points


def test_point_names_pair_each_keypoint_with_its_label_source() -> None:
    names = SPEC.point_names
    assert names[:15] == tuple((name, "complete") for name in FACE15.names)
    assert names[15:] == (("nose_tip", "sparse"), ("mouth_center_bottom_lip", "sparse"))


def test_unknown_json_keys_are_ignored() -> None:
    assert from_json({**to_json(SPEC), "trained_by": "someone"}, "m.onnx") == SPEC


def changed(**values: Any) -> dict[str, Any]:
    return {**to_json(SPEC), **values}


def crop_with(**values: Any) -> dict[str, Any]:
    return changed(crop={**to_json(SPEC)["crop"], **values})


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        "face15",
        {},
        changed(keypoint_set={**to_json(SPEC)["keypoint_set"], "keypoints": ["nose_tip"]}),
        changed(keypoint_set="face15"),
        changed(keypoint_set=["face15"]),
        changed(output_points={"complete": list(range(15)), "strange": list(range(15))}),
        changed(output_points={"complete": list(range(15)), "sparse": list(range(15))}),  # no own output points
        changed(output_points=7),
        changed(expected_error="yes"),
        changed(crop=None),
        crop_with(height_px=0),
        crop_with(height_px=96.5),
        crop_with(width_px=float("inf")),
        crop_with(channels=2),
        crop_with(mean_keypoints=[[1, 2]]),
        crop_with(mean_keypoints=[[1, float("nan")]] * 15),
    ],
)
def test_invalid_json_is_a_one_line_error_that_names_the_file(values: Any) -> None:
    with pytest.raises(InputError, match=r"^m\.onnx: ") as error:
        from_json(values, "m.onnx")
    assert "\n" not in str(error.value)


def of_version_1(keypoint_set: str, keypoints: list[str]) -> dict[str, Any]:
    """Returns the values in the first format."""
    values = {**to_json(SPEC), "keypoint_set": keypoint_set, "keypoints": keypoints}
    del values["format_version"]
    values["landmarks"] = values.pop("output_points")
    return values


def test_specs_of_the_first_format_are_read() -> None:
    assert from_json(of_version_1("face15", list(FACE15.names)), "m.onnx") == SPEC


def test_unknown_keypoint_set_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^m\.onnx: has the unknown keypoint set 'face99'; known: face15, face68$"):
        from_json(of_version_1("face99", []), "m.onnx")
