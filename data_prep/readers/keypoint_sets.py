"""Determines the keypoint set of an input: the user's, a built-in one, or a new one."""

from collections.abc import Collection, Sequence
from pathlib import Path

from facial_keypoints.errors import InputError, counted, listed
from facial_keypoints.keypoint_set import FACE68, KEYPOINT_SETS, NAMES_LISTED, KeypointSet, from_dict, from_names, read

FILE = "keypoints.toml"  # beside the data
SIMILAR_SHARE = 0.5  # if this share of the names is that of a built-in set, the others are probably wrong


def given_set(option: str | None) -> KeypointSet | None:
    """Returns the keypoint set of `--keypoints`: the name of a built-in set or a TOML file; None without the option."""
    if option is None:
        return None
    if option in KEYPOINT_SETS:
        return KEYPOINT_SETS[option]
    if not Path(option).is_file():
        raise InputError(
            f"--keypoints {option}: no such file, and not one of {', '.join(KEYPOINT_SETS)}; give a .toml file as "
            "docs/your-keypoints.md shows it"
        )
    return read(Path(option))


def set_beside(path: Path) -> KeypointSet | None:
    """Returns the keypoint set of `keypoints.toml` in a folder, or beside a file; None if there is no such file."""
    file = (path if path.is_dir() else path.parent) / FILE
    return read(file) if file.is_file() else None


def set_of_names(
    names: Sequence[str],
    where: str,
    given: KeypointSet | None,
    own_name: str | None = None,
    skeleton: Sequence[Sequence[str]] = (),
) -> KeypointSet:
    """Returns the keypoint set of named labels.

    Args:
        names: of the labelled keypoints, in the order of the file.
        where: the file, for messages.
        given: the set of `--keypoints` or `keypoints.toml`; it can have further keypoints.
        own_name: name of a new set; by default `custom_N` for N names.
        skeleton: runs of names that are connected in drawings of a face, for a new set.

    Returns:
        `given`; otherwise the built-in set with a label source that labels exactly these keypoints; otherwise a new set
        of these names.

    Raises:
        InputError: `given` lacks a name, or a name is repeated.
    """
    if given:
        if unknown := [name for name in names if name not in given.names]:
            raise InputError(
                f"{where}: has {listed(unknown, NAMES_LISTED)}, not among the {len(given)} keypoints of {given.name}; "
                f"rename, or correct {FILE} or --keypoints"
            )
        return given
    for built_in in KEYPOINT_SETS.values():
        for label_source in built_in.label_sources:
            if sorted(names) == sorted(built_in.names[k] for k in label_source.keypoints):
                return built_in
    values = {"name": own_name or f"custom_{len(names)}", "keypoints": list(names)}
    return from_dict({**values, "skeleton": [list(run) for run in skeleton]}, where)


def label_source_of(names: Collection[str], keypoint_set: KeypointSet) -> int | None:
    """Returns the index of the label source that labels exactly the keypoints of these names.

    None if there is none, or if these are all keypoints of the set.
    """
    if len(names) == len(keypoint_set):
        return None
    of_sources = [{keypoint_set.names[k] for k in source.keypoints} for source in keypoint_set.label_sources]
    return of_sources.index(set(names)) if set(names) in of_sources else None


def set_of_count(count: int, where: str, given: KeypointSet | None) -> KeypointSet:
    """Returns the keypoint set of numbered labels: `given`, the built-in 68, or one with the names 0, 1, 2, ...

    Raises:
        InputError: `given` has another number of keypoints.
    """
    if given and len(given) != count:
        raise InputError(
            f"{where}: has {count} points, the keypoint set {given.name} has {len(given)} keypoints; correct {FILE} or "
            "--keypoints"
        )
    if given or count == len(FACE68):
        return given or FACE68
    return from_names(f"custom_{count}", [str(k) for k in range(count)], where)


def description(keypoint_set: KeypointSet) -> list[str]:
    """Returns lines that describe a keypoint set; for one that is not built in, also what is not known about it."""
    count = len(keypoint_set)
    lines = [f"keypoint set {keypoint_set.name}: {counted(count, 'keypoint')}"]
    if keypoint_set in KEYPOINT_SETS.values():
        return lines
    lines[0] += f" ({listed(keypoint_set.names, NAMES_LISTED)})"
    if keypoint_set.mirror is None:
        lines.append(f"  mirror pairs are not known, so training does not mirror faces; list them in {FILE}")
    elif pairs := [(k, m) for k, m in enumerate(keypoint_set.mirror) if k < m]:
        pair_names = [f"{keypoint_set.names[k]} - {keypoint_set.names[m]}" for k, m in pairs]
        lines.append(f"  mirror pairs: {listed(pair_names, NAMES_LISTED)}")
    if keypoint_set.eyes is None:
        lines.append("  no eyes: `predict` does not look for faces but takes boxes or whole pictures")
    lines.append(f"  errors are divided by: {', '.join(normalizer.name for normalizer in keypoint_set.normalizers)}")
    for built_in in KEYPOINT_SETS.values():
        others = [name for name in keypoint_set.names if name not in built_in.names]
        if SIMILAR_SHARE * count <= count - len(others) < count:
            lines.append(
                f"  note: {count - len(others)} of the names are those of {built_in.name}, but not "
                f"{listed(others, NAMES_LISTED)}"
            )
    return lines
