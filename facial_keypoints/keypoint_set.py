"""Every fact about a mark-up of keypoints: no other file knows a keypoint's name or how many there are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class LabelSource:
    """Whoever labelled a face: two sources of one set may mark other keypoints, or mean other places by one name.

    Attributes:
        name: short name, stored in manifests.
        keypoints: the keypoints that it marks, indexes into the set.
        own: of these, the keypoints that it marks at another place of the face than the set's first source does.
        horizontal_bias: its labels lie to one side of what they name, in a mirrored picture to the other.
    """

    name: str
    keypoints: tuple[int, ...]
    own: tuple[int, ...] = ()
    horizontal_bias: bool = False


@dataclass(frozen=True)
class Normalizer:
    """The distance that an error is divided by (NME), so that faces of any size compare.

    Attributes:
        name: what lies between, in lower case.
        first, second: keypoints, indexes into the set; the distance is that of the means of the two groups.
    """

    name: str
    first: tuple[int, ...]
    second: tuple[int, ...]


@dataclass(frozen=True)
class KeypointSet:
    """The facts of one mark-up of K keypoints.

    Attributes:
        name: short name, stored in manifests.
        names: the K keypoints in column order; left and right are the pictured person's own.
        mirror: mirror[k] is the keypoint whose place keypoint k takes in a mirrored picture.
        normalizers: the distances that normalize errors; the first is the one of `nme_pct`.
        regions: regions of the face by name, each with its keypoints; every keypoint is in one.
        skeleton: runs of keypoints to join when a face is drawn.
        sources: the label sources; the first one marks all keypoints, and its places are the set's own.
    """

    name: str
    names: tuple[str, ...]
    mirror: tuple[int, ...]
    normalizers: tuple[Normalizer, ...]
    regions: tuple[tuple[str, tuple[int, ...]], ...]
    skeleton: tuple[tuple[int, ...], ...]
    label_sources: tuple[LabelSource, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def columns(self) -> list[str]:
        """The 2K column names of a label file: `NAME_x`, `NAME_y` for each keypoint."""
        return [f"{name}_{axis}" for name in self.names for axis in "xy"]

    @property
    def biased_label_sources(self) -> tuple[int, ...]:
        """The label sources whose labels lie to one side (`LabelSource.horizontal_bias`), indexes into `sources`."""
        return tuple(number for number, label_source in enumerate(self.label_sources) if label_source.horizontal_bias)

    def index(self, name: str) -> int:
        """Returns the place of a keypoint in column order."""
        return self.names.index(name)


def _mirror_by_name(names: tuple[str, ...]) -> tuple[int, ...]:
    """Returns the permutation that swaps the words left and right in the names."""

    def swapped(name: str) -> str:
        words = {"left": "right", "right": "left"}
        return "_".join(words.get(word, word) for word in name.split("_"))

    return tuple(names.index(swapped(name)) for name in names)


_FACE15_NAMES = (
    "left_eye_center",
    "right_eye_center",
    "left_eye_inner_corner",
    "left_eye_outer_corner",
    "right_eye_inner_corner",
    "right_eye_outer_corner",
    "left_eyebrow_inner_end",
    "left_eyebrow_outer_end",
    "right_eyebrow_inner_end",
    "right_eyebrow_outer_end",
    "nose_tip",
    "mouth_left_corner",
    "mouth_right_corner",
    "mouth_center_top_lip",
    "mouth_center_bottom_lip",
)

FACE15 = KeypointSet(
    name="face15",
    names=_FACE15_NAMES,
    mirror=_mirror_by_name(_FACE15_NAMES),
    normalizers=(Normalizer("eye centers", (0,), (1,)),),
    regions=(("eyebrows", (6, 7, 8, 9)), ("eyes", (0, 1, 2, 3, 4, 5)), ("nose", (10,)), ("mouth", (11, 12, 13, 14))),
    skeleton=((7, 6), (8, 9), (3, 0, 2), (4, 1, 5), (11, 13, 12, 14, 11)),
    label_sources=(
        LabelSource("complete", tuple(range(15))),
        # The eye centers, and two it marks elsewhere: the base of the nose for its tip, the lower lip's inner edge.
        LabelSource("sparse", (0, 1, 10, 14), own=(10, 14)),
        # LFW and web pictures (Sun et al. 2013): eye centers, nose tip and mouth corners, all a little elsewhere.
        LabelSource("five", (0, 1, 10, 11, 12), own=(0, 1, 10, 11, 12)),
    ),
)

# The mark-up of 300-W (Sagonas et al. 2016, 300 Faces in-the-wild); the parts follow each other in this order.
_PARTS_OF_68 = {
    "jaw": 17,  # from the person's right ear over the chin to the left one
    "right_eyebrow": 5,
    "left_eyebrow": 5,
    "nose_bridge": 4,
    "nose_base": 5,
    "right_eye": 6,
    "left_eye": 6,
    "outer_lip": 12,
    "inner_lip": 8,
}


def _run(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


_MIRRORED_68 = (  # keypoints that lie across from each other, of each part
    (_run(0, 16), _run(0, 16)[::-1]),
    (_run(17, 21), _run(22, 26)[::-1]),
    (_run(27, 30), _run(27, 30)),
    (_run(31, 35), _run(31, 35)[::-1]),
    (_run(36, 41), (45, 44, 43, 42, 47, 46)),
    (_run(48, 54), _run(48, 54)[::-1]),
    (_run(55, 59), _run(55, 59)[::-1]),
    (_run(60, 64), _run(60, 64)[::-1]),
    (_run(65, 67), _run(65, 67)[::-1]),
)


def _mirror_of_68() -> tuple[int, ...]:
    mirror = dict.fromkeys(range(68), 0)
    for one, other in _MIRRORED_68:
        mirror |= dict(zip(one, other, strict=True)) | dict(zip(other, one, strict=True))
    return tuple(mirror.values())


FACE68 = KeypointSet(
    name="face68",
    names=tuple(f"{part}_{number}" for part, count in _PARTS_OF_68.items() for number in range(1, count + 1)),
    mirror=_mirror_of_68(),
    normalizers=(Normalizer("outer eye corners", (36,), (45,)), Normalizer("pupils", _run(36, 41), _run(42, 47))),
    regions=(
        ("jaw", _run(0, 16)),
        ("eyebrows", _run(17, 26)),
        ("nose", _run(27, 35)),
        ("eyes", _run(36, 47)),
        ("mouth", _run(48, 67)),
    ),
    skeleton=(
        _run(0, 16),
        _run(17, 21),
        _run(22, 26),
        _run(27, 30),
        _run(31, 35),
        (*_run(36, 41), 36),
        (*_run(42, 47), 42),
        (*_run(48, 59), 48),
        (*_run(60, 67), 60),
    ),
    label_sources=(
        LabelSource("pictures", _run(0, 67)),
        # Video frames: their labels lie about 1.3 px of a 96-px crop to the right of what they name (docs/v2.md).
        LabelSource("frames", _run(0, 67), own=_run(0, 67), horizontal_bias=True),
    ),
)

KEYPOINT_SETS = {FACE15.name: FACE15, FACE68.name: FACE68}

# Those of the 68 points whose mean is each keypoint of FACE15.
_FACE15_OF_68 = (
    (42, 43, 44, 45, 46, 47),
    (36, 37, 38, 39, 40, 41),
    (42,),
    (45,),
    (39,),
    (36,),
    (22,),
    (26,),
    (21,),
    (17,),
    (30,),
    (54,),
    (48,),
    (51,),
    (57,),
)
_SPARSE_OF_68 = {FACE15.index("nose_tip"): (33,), FACE15.index("mouth_center_bottom_lip"): (66,)}


def face15_of_68(label_source: int = 0) -> tuple[tuple[int, ...], ...]:
    """Returns for each keypoint of FACE15 those of the 68 points whose mean a label source (0 or 1) means by it.

    For what source 1 does not label: those of source 0.
    """
    own = _SPARSE_OF_68 if label_source == 1 else {}
    return tuple(own.get(keypoint, points) for keypoint, points in enumerate(_FACE15_OF_68))


def as_face15(points: npt.NDArray[np.floating], label_source: int = 0) -> npt.NDArray[np.floating]:
    """Returns the 15 keypoints as a label source of FACE15 (0 or 1) means them, (..., 15, 2), of 68 (..., 68, 2)."""
    return np.stack([points[..., list(chosen), :].mean(axis=-2) for chosen in face15_of_68(label_source)], axis=-2)
