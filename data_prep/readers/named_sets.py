"""The keypoint set that a list of names in a label file means."""

from collections.abc import Sequence
from typing import NamedTuple

from data_prep.readers.labels import shown_names
from facial_keypoints.errors import InputError
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
    """Returns the keypoint set of a file's names.

    Args:
        name: of the set, where it is one of the file's own.
        names: as the file has them, in its order.
        where: the file, for messages.
        given: the set that the user names; None: a built-in set that has exactly these names, or one of whose label
            sources labels exactly these, else a set of its own.
        skeleton: runs of names that are joined, for a set of its own.

    Raises:
        InputError: two keypoints have one name, or the given set lacks one.
    """
    own = from_dict({"name": name, "keypoints": list(names), "skeleton": [list(run) for run in skeleton]}, where)
    if given is not None and (missing := [each for each in names if each not in given.names]):
        raise InputError(
            f"{where}: has the keypoints {shown_names(missing)}, which the keypoint set {given.name} lacks"
        )
    for one in [given] if given else KEYPOINT_SETS.values():
        sources = [frozenset(one.names[k] for k in source.keypoints) for source in one.label_sources]
        if given or frozenset(names) in sources:
            indexes = tuple(one.index(each) for each in names)
            part = len(names) < len(one) and frozenset(names) in sources
            return NamedSet(one, indexes, sources.index(frozenset(names)) if part else None)
    return NamedSet(own, tuple(range(len(names))), None)
