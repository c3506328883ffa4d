"""Every fact about a mark-up of keypoints: no other file knows a keypoint's name or how many there are."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelSource:
    """Whoever labelled a face: two sources of one set may mark other keypoints, or mean other places by one name.

    Attributes:
        name: short name, stored in manifests.
        keypoints: the keypoints that it marks, indexes into the set.
        own: of these, the keypoints that it marks at another place of the face than the set's first source does.
    """

    name: str
    keypoints: tuple[int, ...]
    own: tuple[int, ...] = ()


@dataclass(frozen=True)
class KeypointSet:
    """The facts of one mark-up of K keypoints.

    Attributes:
        name: short name, stored in manifests.
        names: the K keypoints in column order; left and right are the pictured person's own.
        mirror: mirror[k] is the keypoint whose place keypoint k takes in a mirrored picture.
        normaliser: the two keypoints whose distance normalises errors (NME).
        skeleton: runs of keypoints to join when a face is drawn.
        sources: the label sources; the first one marks all keypoints, and its places are the set's own.
    """

    name: str
    names: tuple[str, ...]
    mirror: tuple[int, ...]
    normaliser: tuple[int, int]
    skeleton: tuple[tuple[int, ...], ...]
    sources: tuple[LabelSource, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def columns(self) -> list[str]:
        """The 2K column names of a label file: `NAME_x`, `NAME_y` for each keypoint."""
        return [f"{name}_{axis}" for name in self.names for axis in "xy"]

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
    normaliser=(0, 1),
    skeleton=((7, 6), (8, 9), (3, 0, 2), (4, 1, 5), (11, 13, 12, 14, 11)),
    sources=(
        LabelSource("complete", tuple(range(15))),
        # The eye centres, and two it marks elsewhere: the base of the nose for its tip, the lower lip's inner edge.
        LabelSource("sparse", (0, 1, 10, 14), own=(10, 14)),
        # LFW and web pictures (Sun et al. 2013): eye centres, nose tip and mouth corners, all a little elsewhere.
        LabelSource("five", (0, 1, 10, 11, 12), own=(0, 1, 10, 11, 12)),
    ),
)

KEYPOINT_SETS = {FACE15.name: FACE15}
