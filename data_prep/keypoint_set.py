"""Everything the project knows about a mark-up of keypoints, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KeypointSet:
    """The facts of one mark-up of K keypoints.

    Attributes:
        name: short name, stored in manifests.
        names: the K keypoints in column order; left and right are the pictured person's own.
        mirror: mirror[k] is the keypoint whose place keypoint k takes in a mirrored picture.
        normaliser: the two keypoints whose distance normalises errors (NME).
        strokes: runs of keypoints to join when a face is drawn.
        second_marks: the keypoints that label source 1 marks at another place of the face than source 0.
        few: all keypoints that label source 1 marks.
    """

    name: str
    names: tuple[str, ...]
    mirror: tuple[int, ...]
    normaliser: tuple[int, int]
    strokes: tuple[tuple[int, ...], ...]
    second_marks: tuple[int, ...] = ()
    few: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def columns(self) -> list[str]:
        """The 2K column names of a label file: `NAME_x`, `NAME_y` for each keypoint."""
        return [f"{name}_{axis}" for name in self.names for axis in "xy"]

    def index(self, name: str) -> int:
        return self.names.index(name)

    @property
    def marks(self) -> int:
        """M, the places of the face that the set knows: the K of source 0, then source 1's own."""
        return len(self) + len(self.second_marks)

    def marks_of(self, source: int) -> tuple[int, ...]:
        """The mark, 0 to M - 1, that a label source (0 or 1) means by each of the K keypoints."""
        own = {keypoint: len(self) + i for i, keypoint in enumerate(self.second_marks)} if source else {}
        return tuple(own.get(keypoint, keypoint) for keypoint in range(len(self)))

    @property
    def mark_mirror(self) -> tuple[int, ...]:
        """`mirror` for the M marks."""
        second = self.marks_of(1)
        return self.mirror + tuple(second[self.mirror[keypoint]] for keypoint in self.second_marks)


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
    strokes=((7, 6), (8, 9), (3, 0, 2), (4, 1, 5), (11, 13, 12, 14, 11)),
    second_marks=(10, 14),  # nose_tip: the tip, or the base of the nose; bottom lip: its outer, or its inner edge
    few=(0, 1, 10, 14),  # the centres of the eyes, nose_tip, mouth_center_bottom_lip
)

KEYPOINT_SETS = {FACE15.name: FACE15}

# The points of the mark-up with 68 whose mean is each keypoint of FACE15; its left is the pictured person's own, too.
_POINTS_OF_68 = {
    "left_eye_center": (42, 43, 44, 45, 46, 47),
    "right_eye_center": (36, 37, 38, 39, 40, 41),
    "left_eye_inner_corner": (42,),
    "left_eye_outer_corner": (45,),
    "right_eye_inner_corner": (39,),
    "right_eye_outer_corner": (36,),
    "left_eyebrow_inner_end": (22,),
    "left_eyebrow_outer_end": (26,),
    "right_eyebrow_inner_end": (21,),
    "right_eyebrow_outer_end": (17,),
    "nose_tip": (30,),
    "mouth_left_corner": (54,),
    "mouth_right_corner": (48,),
    "mouth_center_top_lip": (51,),
    "mouth_center_bottom_lip": (57,),
}
_SECOND_POINTS_OF_68 = {"nose_tip": (33,), "mouth_center_bottom_lip": (66,)}  # where source 1 marks them


def points_of_68(source: int) -> tuple[tuple[int, ...], ...]:
    """Returns for each keypoint of FACE15 those of the 68 points whose mean a label source (0 or 1) marks.

    For what source 1 does not mark: those of source 0.
    """
    points = _POINTS_OF_68 | (_SECOND_POINTS_OF_68 if source else {})
    return tuple(points[name] for name in FACE15.names)
