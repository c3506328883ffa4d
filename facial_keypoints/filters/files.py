"""Reads filters: a PNG, and a JSON file of the same name with the positions of a face's keypoints in it.

docs/filters.md explains how to make one; this folder holds the library's filters. A anchors.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15

FOLDER = Path(__file__).parent
FITS = SIMILARITY, AFFINE = "similarity", "affine"
PAINTS = PICTURE, BLUR = "picture", "blur"
ANCHOR_KEYS = ("keypoints", "x", "y", "depth")
MAX_PX = 4096  # of a side


@dataclass(frozen=True, eq=False)
class Filter:
    """A picture or a blur to put on faces.

    Attributes:
        rgba: uint8 (H, W, 4), colors premultiplied by alpha, so that resampled edges have no fringes.
        anchors: A groups of keypoints, as indexes into FACE15; an anchor is the mean of its group.
        positions: float64 (A, 3), the anchors' x and y in px of the PNG, and their depth in front of the drawing.
        fit: AFFINE or SIMILARITY.
        paint: PICTURE draws the PNG; BLUR makes the face unrecognizable where the PNG is opaque.
    """

    rgba: UInt8
    anchors: tuple[tuple[int, ...], ...]
    positions: Float64
    fit: str
    paint: str

    @property
    def roles(self) -> list[str]:
        """The names of the keypoints of face15 that a face needs for this filter (`KeypointSet.role`)."""
        return [FACE15.names[k] for k in sorted({k for anchor in self.anchors for k in anchor})]

    def digest(self) -> str:
        """Returns a hash of all its values."""
        values = repr((self.rgba.shape, self.anchors, self.positions.tolist(), self.fit, self.paint))
        return hashlib.sha256(values.encode() + self.rgba.tobytes()).hexdigest()


def names() -> list[str]:
    """Returns the names of the library's filters."""
    return sorted(path.stem for path in FOLDER.glob("*.png"))


def load_filter(name: str | Path) -> Filter:
    """Returns a filter for `apply_filter`.

    Args:
        name: the name of a filter of this library (blur, cat_ears, cat_nose, clown, crown, glasses, hat, moustache,
            sunglasses), or the path of a PNG with its JSON file beside it (docs/filters.md).

    Raises:
        InputError: there is no such filter, its PNG has no alpha channel, or its JSON file is wrong.

    Example:
        >>> from facial_keypoints import Predictor, apply_filter, load_filter
        >>> predictor, hat = Predictor("v2"), load_filter("hat")
        >>> for path in ["photo.jpg"]:
        ...     picture = apply_filter(path, predictor.predict(path), hat)
    """
    path = Path(name)
    if path.suffix.lower() != ".png":
        if str(name) not in names():
            raise InputError(f"{name}: no such filter; give one of {', '.join(names())}, or a .png file of your own")
        path = FOLDER / f"{name}.png"
    rgba = _read_rgba(path)
    anchors_file = path.with_suffix(".json")
    try:
        text = anchors_file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"{anchors_file}: cannot be read; it must list where keypoints are in {path.name} (docs/filters.md)"
        ) from None
    return Filter(rgba, *_anchors(text, anchors_file))


def design_matrix(positions: Float64, fit: str) -> npt.NDArray[np.inexact[Any]]:
    """Returns the fit's design matrix: columns x and y (or one complex column), 1, and the depth if it varies."""
    plane = positions[:, :2] @ np.array([[1], [1j]]) if fit == SIMILARITY else positions[:, :2]
    parts = [plane, np.ones((len(positions), 1))]
    if len(positions) and np.ptp(positions[:, 2]):
        parts.append(positions[:, 2:])
    return np.concatenate(parts, axis=1)


def _read_rgba(path: Path) -> UInt8:
    """Returns a filter's PNG, uint8 (H, W, 4) RGBA, colors premultiplied by alpha."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give one of {', '.join(names())}, or a .png file of your own")
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if max(image.size) > MAX_PX:
                raise InputError(f"{path}: is {image.width} x {image.height} px; make its sides at most {MAX_PX} px")
            if not image.has_transparency_data:
                raise InputError(f"{path}: has no alpha channel; save a PNG that is transparent around the drawing")
            return np.asarray(image.convert("RGBA").convert("RGBa"), np.uint8)
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise InputError(f"{path}: is not a readable PNG; save it again") from None


def _anchors(text: str, path: Path) -> tuple[tuple[tuple[int, ...], ...], Float64, str, str]:
    """Returns the values of an anchors file: groups of keypoints, their positions (A, 3), the fit and the paint."""
    try:
        values = json.loads(text)
        fit, paint, rows = values.get("fit", SIMILARITY), values.get("paint", PICTURE), values["anchors"]
        keypoints = [list(row["keypoints"]) for row in rows]
        positions = np.array([(row["x"], row["y"], row.get("depth", 0)) for row in rows], np.float64).reshape(-1, 3)
        unknown_keys = set(values) - {"fit", "paint", "anchors"} | {key for row in rows for key in row} - {*ANCHOR_KEYS}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path}: does not list anchors, each with keypoints, x and y (docs/filters.md)") from None
    if unknown_keys:
        raise InputError(f"{path}: has {sorted(unknown_keys)[0]!r}, which is not a known key (docs/filters.md)")
    if fit not in FITS or paint not in PAINTS:
        raise InputError(f"{path}: fit must be one of {', '.join(FITS)}, and paint one of {', '.join(PAINTS)}")
    if not np.isfinite(positions).all():
        raise InputError(f"{path}: x, y and depth of an anchor must be numbers")
    for number, group in enumerate(keypoints, 1):
        unknown = [name for name in group if name not in FACE15.names]
        if unknown or not group:
            fault = f"the unknown keypoint {unknown[0]!r}" if unknown else "no keypoint"
            raise InputError(f"{path}: anchor {number} has {fault}; known: {', '.join(FACE15.names)}")
    design = design_matrix(positions, fit)
    if len(positions) < design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        raise InputError(
            f"{path}: {len(positions)} anchors are too few or coincide; a fit of kind {fit} needs "
            f"{design.shape[1]} at different points, not all on one line"
        )
    return tuple(tuple(FACE15.index(name) for name in group) for group in keypoints), positions, fit, paint
