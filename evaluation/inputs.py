"""What `evaluate` and `compare` read of a data folder."""

from dataclasses import dataclass
from pathlib import Path

from common.stage import InputError
from data_prep.arrays import data_hash, load_data_manifest, load_keypoint_set, load_part
from data_prep.faces import Part
from data_prep.keypoint_set import KeypointSet


@dataclass(frozen=True)
class Data:
    """A data folder to evaluate on.

    Attributes:
        train: may be empty (`--split all-test`).
        test: at least one face.
        keypoint_set: the mark-up.
        hash: of all arrays of the folder (`data_prep.arrays.data_hash`).
    """

    train: Part
    test: Part
    keypoint_set: KeypointSet
    hash: str


def load_data(folder: Path) -> Data:
    """Returns the training and test parts of a data folder.

    Raises:
        InputError: no whole data folder, or no test faces in it.
    """
    manifest = load_data_manifest(folder)
    test = load_part(folder, "test")
    if len(test) == 0:
        raise InputError(f"{folder}: has no test faces; prepare it again with another --split")
    return Data(load_part(folder, "train"), test, load_keypoint_set(manifest), data_hash(manifest))
