"""The keypoint set of a label file that names keypoints in an order of its own, and may name itself."""

from collections.abc import Sequence
from typing import NamedTuple

from data_prep.readers.keypoint_sets import set_of_names
from facial_keypoints.keypoint_set import KEYPOINT_SETS, KeypointSet, from_dict


class NamedSet(NamedTuple):
    """What the names in a label file mean.

    Attributes:
        keypoint_set: K keypoints.
        indexes: of each name in the file, its keypoint in the set.
        label_source: the label source that labels exactly these keypoints, an index; None: there is none, or the
            names are the whole set.
    """

    keypoint_set: KeypointSet
    indexes: tuple[int, ...]
    label_source: int | None


def named_set(
    name: str,
    names: Sequence[str],
    where: str,
    given: KeypointSet | None = None,
    skeleton: Sequence[Sequence[str]] = (),
) -> NamedSet:
    """Returns the keypoint set of a file's names; see `set_of_names`.

    Args:
        name: of the set, if it is one of the file's own.
        names: as the file has them, in its order.
        where: the file, for messages.
        given: the set that `--keypoints` or `keypoints.toml` says.
        skeleton: runs of names that are joined, for a set of the file's own.

    Raises:
        InputError: two keypoints have one name, or the given set lacks one.
    """
    found = set_of_names(names, where, given)
    if found != given and found not in KEYPOINT_SETS.values():
        values = {"name": name, "keypoints": list(names), "skeleton": [list(run) for run in skeleton]}
        found = from_dict(values, where)
    of_sources = [{found.names[k] for k in source.keypoints} for source in found.label_sources]
    is_part = len(names) < len(found) and set(names) in of_sources
    label_source = of_sources.index(set(names)) if is_part else None
    return NamedSet(found, tuple(found.index(each) for each in names), label_source)
