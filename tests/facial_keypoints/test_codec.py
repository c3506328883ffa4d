"""Labels are encoded as training targets, and network output is decoded to keypoints: the one inverts the other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facial_keypoints.codec import UNKNOWN_LABEL_SOURCE, decode, encode, flipped_back, output_points
from facial_keypoints.keypoint_set import FACE15, KEYPOINT_SETS, KeypointSet, LabelSource, Normalizer

# Two ears and a chin; the second source labels the ears elsewhere and no chin.
EARS = KeypointSet(
    "ears",
    ("left_ear", "right_ear", "chin"),
    mirror=(1, 0, 2),
    normalizers=(Normalizer("ends", (0,), (1,)),),
    regions=(),
    skeleton=(),
    label_sources=(LabelSource("all", (0, 1, 2)), LabelSource("ears", (0, 1), own=(0, 1))),
)
SETS = [EARS, *KEYPOINT_SETS.values()]

sets = st.sampled_from(SETS)


@st.composite
def sets_and_sources(draw: st.DrawFn) -> tuple[KeypointSet, tuple[int, ...]]:
    """A keypoint set and the label sources that a network distinguishes."""
    keypoint_set = draw(sets)
    numbers = st.integers(0, len(keypoint_set.label_sources) - 1)
    return keypoint_set, tuple(sorted(draw(st.sets(numbers))))


@st.composite
def faces(draw: st.DrawFn) -> tuple[KeypointSet, tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]:
    """A set, its distinguished sources, keypoints (N, K, 2), which of them are labelled (N, K), and sources (N,)."""
    keypoint_set, distinguished = draw(sets_and_sources())
    count, size = draw(st.integers(0, 4)), len(keypoint_set)
    keypoints = draw(hnp.arrays(np.float32, (count, size, 2), elements=st.floats(-50, 200, width=32)))
    labelled = draw(hnp.arrays(np.bool_, (count, size)))
    keypoints[~labelled] = np.nan
    sources = draw(
        hnp.arrays(np.int64, (count,), elements=st.integers(UNKNOWN_LABEL_SOURCE, len(keypoint_set.label_sources) - 1))
    )
    return keypoint_set, distinguished, keypoints, labelled, sources


@given(faces())
def test_decode_inverts_encode_for_all_label_sources(
    drawn: tuple[KeypointSet, tuple[int, ...], np.ndarray, np.ndarray, np.ndarray],
) -> None:
    keypoint_set, distinguished, keypoints, labelled, sources = drawn
    points = output_points(keypoint_set, distinguished)
    targets, counts = encode(keypoints, labelled, sources, points)
    assert targets.shape == (len(keypoints), len(points), 2)
    assert np.isfinite(targets).all()
    assert (counts.sum(axis=1) == labelled.sum(axis=1)).all()
    np.testing.assert_array_equal(decode(targets, sources, points).coordinates[labelled], keypoints[labelled])


@given(sets_and_sources(), st.integers(2, 3), st.integers(0, 2**32 - 1))
def test_flipping_the_output_twice_restores_it(
    drawn: tuple[KeypointSet, tuple[int, ...]], numbers: int, seed: int
) -> None:
    points = output_points(*drawn)
    assert points.mirror is not None
    assert [points.mirror[m] for m in points.mirror] == list(range(len(points)))
    output = np.random.default_rng(seed).integers(0, 96, (3, len(points), numbers)).astype(np.float32)
    np.testing.assert_array_equal(flipped_back(flipped_back(output, 96, points), 96, points), output)


@given(faces())
def test_encoding_commutes_with_mirroring(
    drawn: tuple[KeypointSet, tuple[int, ...], np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Encoding mirrored labels gives the same targets as mirroring the encoded labels."""
    keypoint_set, distinguished, keypoints, labelled, sources = drawn
    points = output_points(keypoint_set, distinguished)
    assert keypoint_set.mirror is not None
    assert points.mirror is not None
    mirror = list(keypoint_set.mirror)
    mirrored = keypoints[:, mirror] * np.array([-1, 1], np.float32) + np.array([95, 0], np.float32)
    targets, counts = encode(mirrored, labelled[:, mirror], sources, points)
    plain, plain_counts = encode(keypoints, labelled, sources, points)
    np.testing.assert_array_equal(counts, plain_counts[:, list(points.mirror)])
    np.testing.assert_allclose(targets[counts], flipped_back(plain, 96, points)[counts], atol=1e-4)


def test_encode_decode_and_flip_match_hand_calculation() -> None:
    points = output_points(EARS, (0, 1))
    assert points.of_label_source == ((0, 1, 2), (3, 4, 2))
    assert points.mirror == (1, 0, 2, 4, 3)

    keypoints = np.array([[[60, 40], [20, 41], [np.nan, np.nan]]], np.float32)
    labelled = np.array([[True, True, False]])
    targets, counts = encode(keypoints, labelled, np.array([1]), points)
    assert targets.tolist() == [[[0, 0], [0, 0], [0, 0], [60, 40], [20, 41]]]
    assert counts.tolist() == [[False, False, False, True, True]]

    output = np.array([[[61, 39, 1], [21, 39, 2], [48, 90, 3], [60, 40, 4], [20, 41, 5]]], np.float32)
    first, second = decode(output, np.array([0]), points), decode(output, np.array([1]), points)
    assert first.coordinates.tolist() == [[[61, 39], [21, 39], [48, 90]]]
    assert second.coordinates.tolist() == [[[60, 40], [20, 41], [48, 90]]]
    assert first.expected_error is not None
    assert first.expected_error.tolist() == [[1, 2, 3]]
    assert second.expected_error is not None
    assert second.expected_error.tolist() == [[4, 5, 3]]
    assert decode(output[..., :2], np.array([0]), points).expected_error is None

    # 96 px wide: x becomes 95 - x, and the left ear is where the right one was.
    assert flipped_back(output, 96, points).tolist() == [
        [[74, 39, 2], [34, 39, 1], [47, 90, 3], [75, 41, 5], [35, 40, 4]],
    ]


@pytest.mark.parametrize("sources", [(), (0,), (0, 1), (0, 1, 2)])
def test_unknown_label_source_is_decoded_as_the_first_one(sources: tuple[int, ...]) -> None:
    points = output_points(FACE15, sources)
    output = np.arange(len(points) * 2, dtype=np.float32).reshape(1, -1, 2)
    decoded = decode(output, np.array([UNKNOWN_LABEL_SOURCE]), points).coordinates
    np.testing.assert_array_equal(decoded, output[:, :15])


def test_label_source_without_own_output_points_uses_those_of_the_first() -> None:
    points = output_points(FACE15, (0, 1))
    assert points.of_label_source[2] == points.of_label_source[0]
    assert points.of_label_source[1] != points.of_label_source[0]
