"""Keypoint sets: all facts about an annotation scheme. No other module knows the names or the number of keypoints.

TOML files hold the sets (`keypoint_sets/`, or the user's own); manifests and ONNX metadata hold the same values.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facial_keypoints.errors import InputError, listed

Indexes = tuple[int, ...]
LookUp = Callable[[str, list[str]], Indexes]  # returns the keypoints of these names; the first argument is their key
NAMES_LISTED = 3  # in messages


@dataclass(frozen=True)
class LabelSource:
    """Who labelled a face. Two sources can label different keypoints, or different positions under one name.

    Attributes:
        name: short name, stored in manifests.
        keypoints: the keypoints that it labels, as indexes into the set.
        own: the keypoints that it labels in other positions than the set's first source.
        horizontal_bias: whether its labels lie to one side of the true positions, in mirrored pictures to the other.
    """

    name: str
    keypoints: Indexes
    own: Indexes = ()
    horizontal_bias: bool = False


@dataclass(frozen=True)
class Normalizer:
    """The distance that errors are divided by (NME), so that faces of any size can be compared.

    Attributes:
        name: what the distance is between, in lower case.
        first, second: two groups of keypoints, as indexes into the set; the distance is between their means. Both are
            empty for the diagonal of the box around a face's labelled keypoints.
    """

    name: str
    first: Indexes
    second: Indexes


# Roles that are closed lines: from one corner along the upper edge to the other corner, and back along the lower edge.
# Both edges have equally many keypoints.
OUTLINES = ("left_eye_lids", "right_eye_lids", "inner_lip")
MIN_OUTLINE = 4  # keypoints: both corners, one above and one below

BOX_DIAGONAL = Normalizer("box diagonal", (), ())


@dataclass(frozen=True)
class KeypointSet:
    """The facts of one annotation scheme of K keypoints.

    Attributes:
        name: short name, stored in manifests.
        names: the K keypoints in column order; left and right are the pictured person's own.
        mirror: mirror[k] is the keypoint whose position keypoint k takes in a mirrored picture; None if unknown: then
            faces are never mirrored.
        normalizers: the distances that normalize errors; `nme_pct` uses the first one.
        regions: regions of the face by name, each with its keypoints; every keypoint is in exactly one.
        skeleton: sequences of keypoints that drawings of a face join by lines.
        label_sources: the first one labels all keypoints, and defines their positions.
        roles: the keypoints whose mean is a keypoint of face15, by its name, if the set has no keypoint of that name;
            and the keypoints of OUTLINES, by their names.
    """

    name: str
    names: tuple[str, ...]
    mirror: Indexes | None
    normalizers: tuple[Normalizer, ...]
    regions: tuple[tuple[str, Indexes], ...]
    skeleton: tuple[Indexes, ...]
    label_sources: tuple[LabelSource, ...]
    roles: tuple[tuple[str, Indexes], ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def columns(self) -> list[str]:
        """The 2K column names of a label file: `NAME_x`, `NAME_y` for each keypoint."""
        return [f"{name}_{axis}" for name in self.names for axis in "xy"]

    @property
    def biased_label_sources(self) -> Indexes:
        """The label sources with a `horizontal_bias`, indexes into `label_sources`."""
        return tuple(number for number, label_source in enumerate(self.label_sources) if label_source.horizontal_bias)

    @property
    def eyes(self) -> tuple[Indexes, Indexes] | None:
        """The keypoints whose mean is the center of the left eye, and those of the right eye; None without eyes."""
        left, right = self.role("left_eye_center"), self.role("right_eye_center")
        return (left, right) if left and right else None

    def index(self, name: str) -> int:
        """Returns the position of a keypoint in column order."""
        return self.names.index(name)

    def role(self, name: str) -> Indexes:
        """Returns the keypoints whose mean is the keypoint `name` of face15, or those of an outline in order.

        () if the set has none.

        Example:
            >>> FACE15.role("nose_tip")
            (10,)
            >>> FACE68.role("left_eye_center")
            (42, 43, 44, 45, 46, 47)
        """
        of_own_name = (self.index(name),) if name in self.names else ()
        return dict(self.roles).get(name, of_own_name)


def check_roles(keypoint_set: KeypointSet, names: Iterable[str], user: str) -> None:
    """Raises InputError if no keypoint plays one of these roles; `user`: what needs the roles, for the message."""
    if missing := [name for name in names if not keypoint_set.role(name)]:
        raise InputError(
            f"{user} needs {missing[0]}, which the keypoint set {keypoint_set.name} lacks; if one of its keypoints is "
            "that, name it under [roles] in keypoints.toml"
        )


# --- From names only --------------------------------------------------------------------------------------------------

_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}
_WORD = re.compile("left|right", re.IGNORECASE)  # anywhere in a name: `LeftEye`, `eyeleft`
_WHOLE_WORD = re.compile(r"(?<![^\W_])(left|right|l|r)(?![^\W_])", re.IGNORECASE)  # between other characters: `l_eye`
_ALIASES = {"left_eye": "left_eye_center", "right_eye": "right_eye_center", "nose": "nose_tip"}  # names to roles


def from_names(name: str, names: Sequence[str], where: str) -> KeypointSet:
    """Returns a keypoint set of which only the names are known.

    Mirror pairs follow from left and right in the names. Errors are normalized by the distance between the
    eye centers if the names include them, else by the diagonal of the box around the labelled keypoints.

    Args:
        name: the name of the set.
        names: K names in column order.
        where: the file, for messages.

    Raises:
        InputError: there is no name, or two keypoints have the same name.

    Example:
        >>> cat = from_names("cat", ["left_ear", "right_ear", "nose"], "cats.csv")
        >>> cat.mirror, cat.normalizers[0].name
        ((1, 0, 2), 'box diagonal')
    """
    return from_dict({"name": name, "keypoints": list(names)}, where)


def mirror_of_names(names: Sequence[str]) -> Indexes | None:
    """Returns the permutation that swaps left and right in the names; None if the names do not tell them apart."""
    index = {name: k for k, name in enumerate(names)}
    mirror = list(range(len(names)))
    for k, name in enumerate(names):
        swapped = (pattern.sub(_swap, name) for pattern in (_WHOLE_WORD, _WORD))
        partners = [index[other] for other in swapped if other != name and other in index]
        if partners:
            mirror[k] = partners[0]
        elif _WHOLE_WORD.search(name):
            return None  # a left keypoint without a right one, or the reverse
    valid = mirror != list(range(len(names))) and all(mirror[m] == k for k, m in enumerate(mirror))
    return tuple(mirror) if valid else None


def _swap(match: re.Match[str]) -> str:
    word, other = match.group(), _OTHER_SIDE[match.group().lower()]
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def difference(one: KeypointSet, other: KeypointSet) -> str:
    """Returns how the keypoints of two sets differ, in words; empty if names, order and label sources are equal.

    Example:
        >>> difference(from_names("a", ["nose", "chin"], ""), from_names("b", ["nose", "ear"], ""))
        'only a has chin; only b has ear'
    """
    differences = [
        f"only {first.name} has {listed([name for name in first.names if name not in second.names], NAMES_LISTED)}"
        for first, second in ((one, other), (other, one))
        if not set(first.names) <= set(second.names)
    ]
    if differences:
        return "; ".join(differences)
    if one.names != other.names:
        return "the order of the keypoints differs"
    return "" if one.label_sources == other.label_sources else "the label sources differ"


# --- Files and metadata -----------------------------------------------------------------------------------------------


def read(path: Path) -> KeypointSet:
    """Returns the keypoint set of a TOML file; `face15.toml` and `face68.toml` in `keypoint_sets` show all keys.

    Only `keypoints` is required. Without `mirror`, pairs follow from left and right in the names.

    Raises:
        InputError: the file is missing or is not TOML, or its values contradict each other.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: is not a readable TOML file ({error})") from error
    keypoint_set = from_dict({"name": path.stem, **values}, str(path))
    known = (*FACE15.names, *OUTLINES)
    if unknown := [role for role, _ in keypoint_set.roles if role not in known]:
        raise InputError(f"{path}: [roles] has {unknown[0]!r}; known roles: {', '.join(known)}")
    return keypoint_set


def to_dict(keypoint_set: KeypointSet) -> dict[str, Any]:
    """Returns a set as JSON values for `from_dict`; they refer to keypoints by name."""
    names = keypoint_set.names

    def named(indexes: Iterable[int]) -> list[str]:
        return [names[k] for k in indexes]

    mirror = keypoint_set.mirror
    return {
        "name": keypoint_set.name,
        "keypoints": list(names),
        "mirror": None if mirror is None else [[names[k], names[m]] for k, m in enumerate(mirror) if k < m],
        "skeleton": [named(run) for run in keypoint_set.skeleton],
        "normalizers": [
            {"name": each.name, "first": named(each.first), "second": named(each.second)}
            for each in keypoint_set.normalizers
        ],
        "regions": {region: named(keypoints) for region, keypoints in keypoint_set.regions},
        "roles": {role: named(keypoints) for role, keypoints in keypoint_set.roles},
        "label_sources": [
            {
                "name": each.name,
                "keypoints": named(each.keypoints),
                "own": named(each.own),
                "horizontal_bias": each.horizontal_bias,
            }
            for each in keypoint_set.label_sources
        ],
    }


def from_dict(values: dict[str, Any], where: str) -> KeypointSet:
    """Returns the keypoint set of TOML or JSON values; missing values have the defaults of `from_names`.

    Args:
        values: as `to_dict` returns them.
        where: the file, for messages.

    Raises:
        InputError: two keypoints have the same name, a keypoint is unknown, a mirror pair is not a pair, or the like.
    """
    try:
        return _from_dict(values, where)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: describes no keypoint set ({error!r}); compare it with face15.toml") from error


def _from_dict(values: dict[str, Any], where: str) -> KeypointSet:
    if not isinstance(values, dict):
        raise TypeError(f"expected a table of values, not {values!r}")
    keys = {"name", "keypoints", "mirror", "skeleton", "normalizers", "regions", "roles", "label_sources"}
    if unknown := sorted(set(values) - keys):
        raise InputError(f"{where}: has the unknown key {unknown[0]!r}; known: {', '.join(sorted(keys))}")
    names = values.get("keypoints", [])
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise InputError(f"{where}: `keypoints` must be a list of one name or more")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{where}: {names.count(repeated[0])} keypoints have the name {repeated[0]!r}; rename them")
    index = {name: k for k, name in enumerate(names)}

    def indexes(key: str, members: list[str]) -> Indexes:
        if not isinstance(members, list):
            raise InputError(f"{where}: {key} must be a list of keypoints, not {members!r}")
        if missing := [name for name in members if name not in index]:
            raise InputError(f"{where}: {key} has {missing[0]!r}, which is not one of the {len(names)} keypoints")
        return tuple(index[name] for name in members)

    every = tuple(range(len(names)))
    keypoint_set = KeypointSet(
        name=str(values["name"]),
        names=tuple(names),
        mirror=_mirror(values, names, indexes, where),
        normalizers=(),
        regions=_regions(values.get("regions") or {"all": names}, every, indexes, where),
        skeleton=tuple(indexes("skeleton", run) for run in values.get("skeleton", [])),
        label_sources=tuple(
            LabelSource(
                each["name"],
                indexes("label_sources", each.get("keypoints", names)),
                indexes("label_sources", each.get("own", [])),
                bool(each.get("horizontal_bias", False)),
            )
            for each in values.get("label_sources") or [{"name": "labels"}]
        ),
        roles=tuple(
            (role, indexes(f"roles.{role}", members))
            for role, members in {**_aliases(names), **values.get("roles", {})}.items()
        ),
    )
    for outline in OUTLINES:
        if (count := len(dict(keypoint_set.roles).get(outline, ()))) and (count < MIN_OUTLINE or count % 2):
            raise InputError(
                f"{where}: roles.{outline} has {count} keypoints; give an even number, from one corner along the upper "
                "edge to the other corner and back along the lower edge"
            )
    first = keypoint_set.label_sources[0]
    if set(first.keypoints) != set(every) or first.own:
        raise InputError(
            f"{where}: the first label source, {first.name!r}, must label all keypoints and have an empty `own`"
        )
    return replace(keypoint_set, normalizers=_normalizers(values, keypoint_set, indexes, where))


def _aliases(names: list[str]) -> dict[str, list[str]]:
    return {role: [name] for name, role in _ALIASES.items() if name in names and role not in names}


def _mirror(values: dict[str, Any], names: list[str], indexes: LookUp, where: str) -> Indexes | None:
    if "mirror" not in values:
        return mirror_of_names(names)
    if values["mirror"] is None:
        return None
    mirror = list(range(len(names)))
    for pair in values["mirror"]:
        one, *others = indexes("mirror", pair)
        if len(others) != 1 or one == others[0] or mirror[one] != one or mirror[others[0]] != others[0]:
            raise InputError(f"{where}: mirror has {pair}; expected pairs of two keypoints, each keypoint in one pair")
        mirror[one], mirror[others[0]] = others[0], one
    return tuple(mirror)


def _regions(
    values: dict[str, list[str]], every: Indexes, indexes: LookUp, where: str
) -> tuple[tuple[str, Indexes], ...]:
    regions = [(region, indexes(f"regions.{region}", names)) for region, names in values.items()]
    assigned = [k for _, keypoints in regions for k in keypoints]
    if len(assigned) > len(set(assigned)):
        raise InputError(f"{where}: a keypoint is in two regions; use each once")
    if others := tuple(k for k in every if k not in assigned):
        regions.append(("others", others))
    return tuple(regions)


def _normalizers(
    values: dict[str, Any], keypoint_set: KeypointSet, indexes: LookUp, where: str
) -> tuple[Normalizer, ...]:
    normalizers = []
    for each in values.get("normalizers", []):
        first, second = (indexes("normalizers", each.get(key, [])) for key in ("first", "second"))
        if bool(first) != bool(second) or (first and set(first) == set(second)):
            raise InputError(f"{where}: the normalizer {each['name']!r} needs two groups of keypoints that differ")
        normalizers.append(Normalizer(each["name"], first, second))
    if normalizers:
        return tuple(normalizers)
    return (Normalizer("eye centers", *keypoint_set.eyes) if keypoint_set.eyes else BOX_DIAGONAL,)


# --- Built-in sets ----------------------------------------------------------------------------------------------------


def _built_in(name: str) -> KeypointSet:
    path = Path(__file__).with_name("keypoint_sets") / f"{name}.toml"
    return from_dict(tomllib.loads(path.read_text(encoding="utf-8")), path.name)


FACE15, FACE68 = _built_in("face15"), _built_in("face68")
KEYPOINT_SETS = {FACE15.name: FACE15, FACE68.name: FACE68}

# The positions that the label source `sparse` of face15 labels under these names.
_SPARSE_OF_68 = {"nose_tip": "nose_base_3", "mouth_center_bottom_lip": "inner_lip_7"}


def face15_of_68(label_source: int = 0) -> tuple[Indexes, ...]:
    """Returns, for each keypoint of face15, the keypoints of face68 whose mean label source 0 or 1 labels.

    For keypoints that source 1 does not label, returns those of source 0.
    """
    own_names = _SPARSE_OF_68 if label_source == 1 else {}
    return tuple((FACE68.index(own_names[name]),) if name in own_names else FACE68.role(name) for name in FACE15.names)


def as_face15(points: npt.NDArray[np.floating], label_source: int = 0) -> npt.NDArray[np.floating]:
    """Returns the 15 keypoints as label source 0 or 1 of face15 labels them, (..., 15, 2), from 68, (..., 68, 2)."""
    return np.stack([points[..., list(indexes), :].mean(axis=-2) for indexes in face15_of_68(label_source)], axis=-2)
