"""Labels -> training targets, network output -> keypoints: one goes back where the other came from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facial_keypoints.codec import UNKNOWN_LABEL_SOURCE, decode, encode, flipped_back, output_points
from facial_keypoints.keypoint_set import FACE15, KEYPOINT_SETS, KeypointSet, LabelSource, Normalizer

# Two ears and a chin; the second source marks the ears elsewhere and no chin.
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
    """A keypoint set and the label sources that a network tells apart."""
    keypoint_set = draw(sets)
    numbers = st.integers(0, len(keypoint_set.label_sources) - 1)
    return keypoint_set, tuple(sorted(draw(st.sets(numbers))))


@st.composite
def faces(draw: st.DrawFn) -> tuple[KeypointSet, tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints (N, K, 2), which are labelled (N, K), and the label source of each face (N,)."""
    keypoint_set, apart = draw(sets_and_sources())
    count, size = draw(st.integers(0, 4)), len(keypoint_set)
    keypoints = draw(hnp.arrays(np.float32, (count, size, 2), elements=st.floats(-50, 200, width=32)))
    labelled = draw(hnp.arrays(np.bool_, (count, size)))
    keypoints[~labelled] = np.nan
    sources = draw(
        hnp.arrays(np.int64, (count,), elements=st.integers(UNKNOWN_LABEL_SOURCE, len(keypoint_set.label_sources) - 1))
    )
    return keypoint_set, apart, keypoints, labelled, sources


@given(faces())
def test_what_is_encoded_decodes_to_the_labels_whatever_their_sources(
    drawn: tuple[KeypointSet, tuple[int, ...], np.ndarray, np.ndarray, np.ndarray],
) -> None:
    keypoint_set, apart, keypoints, labelled, sources = drawn
    of = output_points(keypoint_set, apart)
    targets, counts = encode(keypoints, labelled, sources, of)
    assert targets.shape == (len(keypoints), len(of), 2)
    assert np.isfinite(targets).all()
    assert (counts.sum(axis=1) == labelled.sum(axis=1)).all()
    np.testing.assert_array_equal(decode(targets, sources, of).coordinates[labelled], keypoints[labelled])


@given(sets_and_sources(), st.integers(2, 3), st.integers(0, 2**32 - 1))
def test_mirrored_twice_is_as_it_was(drawn: tuple[KeypointSet, tuple[int, ...]], numbers: int, seed: int) -> None:
    of = output_points(*drawn)
    assert of.mirror is not None
    assert [of.mirror[m] for m in of.mirror] == list(range(len(of)))
    output = np.random.default_rng(seed).integers(0, 96, (3, len(of), numbers)).astype(np.float32)
    np.testing.assert_array_equal(flipped_back(flipped_back(output, 96, of), 96, of), output)


@given(faces())
def test_of_a_mirrored_face_the_same_source_sees_the_mirrored_keypoints(
    drawn: tuple[KeypointSet, tuple[int, ...], np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Mirroring the labels and then encoding is encoding and then mirroring."""
    keypoint_set, apart, keypoints, labelled, sources = drawn
    of = output_points(keypoint_set, apart)
    assert keypoint_set.mirror is not None
    assert of.mirror is not None
    mirror = list(keypoint_set.mirror)
    mirrored = keypoints[:, mirror] * np.array([-1, 1], np.float32) + np.array([95, 0], np.float32)
    targets, counts = encode(mirrored, labelled[:, mirror], sources, of)
    plain, plain_counts = encode(keypoints, labelled, sources, of)
    np.testing.assert_array_equal(counts, plain_counts[:, list(of.mirror)])
    np.testing.assert_allclose(targets[counts], flipped_back(plain, 96, of)[counts], atol=1e-4)


def test_by_hand() -> None:
    of = output_points(EARS, (0, 1))
    assert of.of_label_source == ((0, 1, 2), (3, 4, 2))
    assert of.mirror == (1, 0, 2, 4, 3)

    keypoints = np.array([[[60, 40], [20, 41], [np.nan, np.nan]]], np.float32)
    labelled = np.array([[True, True, False]])
    targets, counts = encode(keypoints, labelled, np.array([1]), of)
    assert targets.tolist() == [[[0, 0], [0, 0], [0, 0], [60, 40], [20, 41]]]
    assert counts.tolist() == [[False, False, False, True, True]]

    output = np.array([[[61, 39, 1], [21, 39, 2], [48, 90, 3], [60, 40, 4], [20, 41, 5]]], np.float32)
    first, second = decode(output, np.array([0]), of), decode(output, np.array([1]), of)
    assert first.coordinates.tolist() == [[[61, 39], [21, 39], [48, 90]]]
    assert second.coordinates.tolist() == [[[60, 40], [20, 41], [48, 90]]]
    assert first.expected_error is not None
    assert first.expected_error.tolist() == [[1, 2, 3]]
    assert second.expected_error is not None
    assert second.expected_error.tolist() == [[4, 5, 3]]
    assert decode(output[..., :2], np.array([0]), of).expected_error is None

    # 96 px wide: x becomes 95 - x, and the left ear is where the right one was.
    assert flipped_back(output, 96, of).tolist() == [
        [[74, 39, 2], [34, 39, 1], [47, 90, 3], [75, 41, 5], [35, 40, 4]],
    ]


@pytest.mark.parametrize("sources", [(), (0,), (0, 1), (0, 1, 2)])
def test_a_face_of_unknown_label_source_gets_the_keypoints_of_the_first(sources: tuple[int, ...]) -> None:
    of = output_points(FACE15, sources)
    output = np.arange(len(of) * 2, dtype=np.float32).reshape(1, -1, 2)
    decoded = decode(output, np.array([UNKNOWN_LABEL_SOURCE]), of).coordinates
    np.testing.assert_array_equal(decoded, output[:, :15])


def test_a_label_source_without_output_points_of_its_own_gets_those_of_the_first() -> None:
    of = output_points(FACE15, (0, 1))
    assert of.of_label_source[2] == of.of_label_source[0]
    assert of.of_label_source[1] != of.of_label_source[0]
