"""`predictions.csv`: one line for each test face.

Its `row`, then the columns of the label file in px, then, where the network says how sure it is, a `NAME_sigma` in px
for each keypoint. N faces, K keypoints.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluation.csv_lines import ROW, read_lines, row_number
from facial_keypoints.array_types import Bool, Float32, Int64
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet

LARGEST_PX = 1e6  # beyond it a number is no place near a picture; NaN and infinity fail the same comparison
SHOWN = 8  # names or rows that a message lists before it says how many more there are


class Predictions(NamedTuple):
    """What is predicted for N faces.

    Attributes:
        keypoints: float32 (N, K, 2) in px.
        sigma: float32 (N, K), the predicted mean absolute error of each keypoint's coordinates in px, above 0; None
            where nothing is said of it.
    """

    keypoints: Float32
    sigma: Float32 | None = None

    def only(self, kept: Bool) -> "Predictions":
        """Returns the predictions of some of the faces; bool (N,) in."""
        return Predictions(self.keypoints[kept], None if self.sigma is None else self.sigma[kept])


def sigma_columns(keypoint_set: KeypointSet) -> list[str]:
    """Returns the K names of the columns that hold sigma."""
    return [f"{name}_sigma" for name in keypoint_set.names]


def write_predictions(path: Path, predictions: Predictions, rows: Int64, keypoint_set: KeypointSet) -> None:
    """Writes predictions so that reading gives back the same float32 values. `rows`: int64 (N,)."""
    columns = keypoint_set.columns
    values = predictions.keypoints.astype(np.float32).reshape(len(rows), -1)
    if predictions.sigma is not None:
        columns = columns + sigma_columns(keypoint_set)
        values = np.concatenate([values, predictions.sigma.astype(np.float32)], axis=1)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([ROW, *columns])
        for row, face in zip(rows.tolist(), values, strict=True):
            writer.writerow([row, *map(str, face)])  # the shortest text that is this float32


def read_predictions(path: Path, rows: Int64, keypoint_set: KeypointSet) -> Predictions:
    """Returns anyone's predictions for the test faces, in the order of `rows`.

    The file has the 2K columns of the keypoint set, and the K of sigma or none of them, in any order. With a `row`
    column its lines may be in any order; without one they are the test rows in order.

    Args:
        rows: int64 (N,), the test rows.

    Raises:
        InputError: no such file, not a CSV file, other columns, a value that is no number of px, a sigma that is not
            above 0, or rows that are unknown, repeated or missing.
    """
    header, body = read_lines(path)
    places, sigmas = keypoint_set.columns, sigma_columns(keypoint_set)
    columns = places + (sigmas if set(sigmas) & set(header) else [])
    _check_columns(path, header, columns)
    order = [header.index(name) for name in columns]
    if ROW in header:
        at = header.index(ROW)
        theirs = [row_number(path, line, cells[at]) for line, cells in body]
        _check_rows(path, theirs, rows)
        line_of = dict(zip(theirs, body, strict=True))
        body = [line_of[row] for row in rows.tolist()]
    elif len(body) != len(rows):
        raise InputError(
            f"{path}: has {len(body)} lines of predictions, the test part has {len(rows)} faces; "
            f"give every test row in order, or add a `{ROW}` column"
        )
    values = np.array([[_pixels(cells[at]) for at in order] for _, cells in body], np.float32)
    good = np.isfinite(values)
    good[:, len(places) :] &= values[:, len(places) :] > 0
    if not good.all():
        face, column = (int(at[0]) for at in np.nonzero(~good))
        line, cells = body[face]
        wanted = "a place in px" if column < len(places) else "a number of px above 0"
        raise InputError(
            f"{path}, line {line} (row {rows[face]}): {columns[column]} is {cells[order[column]].strip()!r}, "
            f"not {wanted}; give a number for every keypoint"
        )
    keypoints = values[:, : len(places)].reshape(len(rows), -1, 2)
    return Predictions(keypoints, values[:, len(places) :] if len(columns) > len(places) else None)


def _check_columns(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(
            f"{path}: lacks {_listed('column', missing)}; the data set's columns are needed, in px, and a sigma for "
            "every keypoint or for none"
        )
    extra = [name or "(no name)" for name in header if name not in (ROW, *columns)]
    if extra:
        hint = " (pandas writes none with index=False)" if "(no name)" in extra else ""
        raise InputError(f"{path}: has {_listed('unknown column', extra)}{hint}; remove what is no keypoint")
    repeated = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if repeated:
        raise InputError(f"{path}: repeats {_listed('column', repeated)}; give each once")


def _check_rows(path: Path, theirs: Sequence[int], rows: Int64) -> None:
    known = set(rows.tolist())
    given = set(theirs)
    unknown = [row for row in theirs if row not in known]
    if unknown:
        raise InputError(f"{path}: has {_listed('row', unknown)} outside the test part; give the rows of test_rows.npy")
    if len(given) < len(theirs):
        counted = np.unique(np.array(theirs), return_counts=True)
        repeated = [int(row) for row, count in zip(*counted, strict=True) if count > 1]
        raise InputError(f"{path}: repeats {_listed('row', repeated)}; give each test row once")
    missing = [row for row in rows.tolist() if row not in given]
    if missing:
        raise InputError(f"{path}: lacks {_listed('test row', missing)}; give the rows of test_rows.npy")


def _listed(kind: str, values: Sequence[object]) -> str:
    shown = ", ".join(str(value) for value in values[:SHOWN])
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return f"{kind}{'s' if len(values) > 1 else ''} {shown}{more}"


def _pixels(text: str) -> float:
    """Returns the number in a cell; NaN where there is none under LARGEST_PX."""
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if abs(value) < LARGEST_PX else np.nan
