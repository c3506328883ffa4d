"""Handles predictions in label files: only those that a person has reviewed are labels."""

from dataclasses import replace

from data_prep.readers.labelled_pictures import LabelledPictures
from facial_keypoints.coco import REVIEWED, reviewed
from facial_keypoints.errors import InputError


def is_reviewed(value: object, where: str) -> bool:
    """Returns whether a person has reviewed a face, from a cell of a table or a JSON value.

    Args:
        value: text, a JSON value, or None.
        where: file and row, for the message.

    Raises:
        InputError: the value is neither yes nor no.
    """
    if (answer := reviewed(value)) is None:
        raise InputError(
            f"{where}: has {str(value)[:20]!r} as {REVIEWED}; write 1 if a person has checked the face, else 0"
        )
    return answer


def only_reviewed(name: str, pictures: LabelledPictures, all_reviewed: bool) -> tuple[LabelledPictures, int]:
    """Returns the faces without unreviewed predictions, and the number of these.

    Args:
        name: of the input, for the message.
        pictures: as a reader returns them.
        all_reviewed: a person has checked the whole file, so all its predictions count as labels.

    Raises:
        InputError: all faces are unreviewed predictions.
    """
    labels = [face for face in pictures.faces if all_reviewed or face.reviewed]
    left_out = len(pictures.faces) - len(labels)
    if not left_out:
        return pictures, 0
    if not labels:
        raise InputError(
            f"{name}: all {left_out:,} faces are unreviewed predictions, so there is no label; "
            f"set `{REVIEWED}` to 1 for each face that you have checked, or add --reviewed if a person has been "
            "through the whole file"
        )
    note = f"{left_out:,} of {len(pictures.faces):,} faces left out as unlabelled: unreviewed predictions"
    return replace(pictures, faces=labels, description=f"{pictures.description}; {note}"), left_out
