"""Reader of pictures with a CSV file: `keypoints.csv` beside a folder `pictures`."""

from pathlib import Path

from data_prep.csv_table import read_lines
from data_prep.labelled_pictures import LabelledPicture, LabelledPictures, check_names, picture_path
from data_prep.labels import keypoint_set_of, keypoints_of, numbers
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import KeypointSet

CSV, PICTURES = "keypoints.csv", "pictures"
FILE, PERSON = "file", "person"


def read(folder: Path) -> LabelledPictures:
    """Returns the faces of a folder of pictures with named keypoints: `file`, `person`, then `NAME_x`, `NAME_y`, ...

    Without a column `person` every picture is another person. The columns tell the keypoint set, and its label source
    where they are exactly the keypoints of one.

    Raises:
        InputError: other columns, a keypoint that is no number, a name twice, or a picture that is missing.
    """
    path = folder / CSV
    header, body = read_lines(path)
    keypoint_set = keypoint_set_of(path, [name for name in header if name != PERSON], others=[FILE])
    names = [name for name in keypoint_set.columns if name in header]
    at = [header.index(name) for name in names]
    faces = []
    for row, (line, cells) in enumerate(body):
        where = f"{path}: row {row} (line {line})"
        try:
            keypoints = keypoints_of([numbers([cells[column] for column in at], names)], names, keypoint_set)[0]
        except ValueError as error:
            raise InputError(f"{where} {error}") from None
        name = cells[header.index(FILE)]
        person = cells[header.index(PERSON)].strip() if PERSON in header else f"{folder.resolve().name}:{name}"
        if not person:
            raise InputError(f"{where}: names no person; give every face one")
        faces.append(LabelledPicture(picture_path(folder / PICTURES, name, where), person, keypoints, where))
    if not faces:
        raise InputError(f"{path}: has a header but no rows; it needs a row for each face")
    check_names(faces)
    source = source_of(names, keypoint_set)
    found = f"{len(faces):,} pictures"
    if source is not None:
        found += f", label source {keypoint_set.sources[source].name}"
    return LabelledPictures(folder, faces, keypoint_set, source, found, names_people=PERSON in header)


def source_of(columns: list[str], keypoint_set: KeypointSet) -> int | None:
    """Returns the label source that labels some keypoints only, exactly those of the columns; None: there is none."""
    marked = tuple(k for k, name in enumerate(keypoint_set.names) if f"{name}_x" in columns)
    for number, source in enumerate(keypoint_set.sources):
        if source.keypoints == marked and len(marked) < len(keypoint_set):
            return number
    return None
