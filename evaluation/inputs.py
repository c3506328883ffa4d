"""Reads the test faces of a data folder."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from common.csv_table import ROW, read_lines, row_number
from data_prep import faces_csv
from data_prep.arrays import data_hash, load_data_manifest, load_keypoint_set, load_split
from data_prep.faces import Origins, Split
from data_prep.faces_csv import LABEL_SOURCE, ORIGIN
from facial_keypoints.array_types import Bool, Int64
from facial_keypoints.codec import UNKNOWN_LABEL_SOURCE
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet


@dataclass(frozen=True)
class EvaluationData:
    """A data folder to evaluate on.

    Attributes:
        train: can be empty (`--split all-test`).
        test: at least one face.
        keypoint_set: of the data folder.
        hash: of all arrays of the folder (`data_prep.arrays.data_hash`).
        origins: where the test faces come from; None if the folder does not record it.
        exif: how their EXIF orientation is handled; see `data_prep.readers.pictures.read_picture`.
    """

    train: Split
    test: Split
    keypoint_set: KeypointSet
    hash: str
    origins: Origins | None = None
    exif: str | None = None

    def only(self, kept: Bool) -> "EvaluationData":
        """Returns the data with some of the test faces: where bool (N,) is true."""
        return replace(self, test=self.test.only(kept), origins=self.origins and self.origins.only(kept))

    def subsets(self) -> list[tuple[str, str, Bool]]:
        """Returns subsets of the test faces: LABEL_SOURCE or ORIGIN, the subset's name, and its faces as bool (N,)."""
        label_sources = self.test.label_sources
        names = {
            s: "unknown" if s == UNKNOWN_LABEL_SOURCE else self.keypoint_set.label_sources[s].name
            for s in np.unique(label_sources)
        }
        subsets = [(LABEL_SOURCE, name, label_sources == label_source) for label_source, name in names.items()]
        if self.origins:
            folders = self.origins.folders
            subsets += [(ORIGIN, str(folder), folders == folder) for folder in np.unique(folders)]
        return subsets


def people_in_both(data: EvaluationData) -> list[str]:
    """Returns a warning if test faces show people, or photos, that are also in the training split."""
    both = int(np.isin(data.test.groups, data.train.groups).sum())
    if not both:
        return []
    return [
        f"{both:,} of {len(data.test):,} test faces are of people or photos that are in the training part as well, as "
        "this split has it: the figures flatter whatever was trained on that part."
    ]


def load_data(folder: Path) -> EvaluationData:
    """Returns the training and test splits of a data folder.

    Raises:
        InputError: the data folder is missing or damaged, or has no test faces.
    """
    manifest = load_data_manifest(folder)
    keypoint_set = load_keypoint_set(manifest, folder)
    test = load_split(folder, "test", keypoint_set)
    if len(test) == 0:
        raise InputError(f"{folder}: has no test faces; prepare it again with another --split")
    origins = faces_csv.read_origins(folder, "test", test.rows) if faces_csv.NAME in manifest["files"] else None
    train, exif = load_split(folder, "train", keypoint_set), manifest["parameters"].get("exif")
    return EvaluationData(train, test, keypoint_set, data_hash(manifest), origins, exif)


def listed_faces(path: Path, rows: Int64) -> Bool:
    """Returns bool (N,), the test faces in the `row` column of a CSV file.

    Other columns, and rows that are not test faces, are ignored.

    Args:
        rows: int64 (N,), the test rows.

    Raises:
        InputError: the file is missing or not a CSV file, has no `row` column or no test row, or a row is not a number.
    """
    header, body = read_lines(path)
    if header.count(ROW) != 1:
        raise InputError(f"{path}: has {header.count(ROW)} columns `{ROW}`; give one, the face's row in the data")
    column = header.index(ROW)
    listed_rows = {row_number(path, line, cells[column]) for line, cells in body}
    listed = np.array([row in listed_rows for row in rows.tolist()])
    if not listed.any():
        raise InputError(f"{path}: lists no test face; give rows of test_rows.npy")
    return listed
