"""Reader of COCO keypoint JSON, as CVAT, Label Studio, Roboflow and converters of LabelMe's files export it.

The format: https://cocodataset.org/#format-data, "keypoint detection".
"""

import contextlib
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from common.csv_table import shown_names
from data_prep.readers.bad_faces import STRICT, BadFaces
from data_prep.readers.check_labels import check_placeholders
from data_prep.readers.json_file import COCO, WHAT_TO_DO, is_px, kind_of, read_json
from data_prep.readers.keypoint_sets import label_source_of, set_of_names
from data_prep.readers.labelled_pictures import LabelledPicture, LabelledPictures, PictureFolder, composed
from data_prep.readers.reviewed import is_reviewed
from facial_keypoints.array_types import Bool, Float32
from facial_keypoints.coco import NOT_LABELLED, OCCLUDED, REVIEWED, VISIBLE
from facial_keypoints.errors import InputError, counted
from facial_keypoints.keypoint_set import KeypointSet

BESIDE = "images"  # the folder of pictures, as most tools export it

Box = tuple[float, float, float, float]


def read(
    path: Path,
    folder: Path | None = None,
    category: str | None = None,
    bad: BadFaces = STRICT,
    keypoint_set: KeypointSet | None = None,
) -> LabelledPictures:
    """Returns the faces of one category of a COCO file.

    A keypoint of visibility 0 is not labelled, one of visibility 1 is occluded. Crowds and annotations without a
    labelled keypoint are left out and counted. An annotation with a `score` or the attribute `reviewed` is a
    prediction: a label only if `reviewed` is true. All faces of a picture count as one person.

    Args:
        path: the JSON file.
        folder: of its pictures; None: that of the file, or `images` there or beside that.
        category: by name; None: the only one that has keypoints.
        bad: what becomes of faces that cannot be used.
        keypoint_set: the set that the names are of; None: a built-in set of these names, else one of their own.

    Raises:
        InputError: no COCO file, no such category, several without a choice, or no face; or, where `bad` does not leave
            the face out, an annotation of an image that is missing, with another count of numbers, a value that is no
            number of px, a box without size, or a number that stands for a missing label.
    """
    values = _coco(path)
    chosen = _category(path, values.get("categories"), category)
    names = _names(path, chosen)
    skeleton = _skeleton(path, names, chosen.get("skeleton") or [])
    keypoint_set = set_of_names(names, str(path), keypoint_set, str(chosen["name"]), skeleton)
    pictures = Pictures(path, folder, values["images"])
    by_image: dict[Any, list[tuple[str, dict[str, Any]]]] = {image: [] for image in pictures.names}
    left_out: Counter[str] = Counter()
    for number, annotation in enumerate(values["annotations"]):
        where = _where(path, number, annotation)
        with bad.left_out():
            if not isinstance(annotation, dict):
                raise InputError(f"{where}: is no annotation; export the file again")
            if annotation.get("category_id") != chosen.get("id"):
                continue
            if annotation.get("iscrowd"):
                left_out["crowd"] += 1
            elif not _labels_any(annotation.get("keypoints")):
                left_out["annotation without a labelled keypoint"] += 1
            else:
                _of_image(by_image, annotation, where).append((where, annotation))
    faces = []
    for image, annotations in by_image.items():
        person = composed(f"{path.stem}:{pictures.names[image]}")
        for where, annotation in annotations:
            with bad.left_out():
                keypoints, occluded = _keypoints(annotation["keypoints"], keypoint_set, names, where)
                box, reviewed = _box(annotation.get("bbox"), where), _reviewed(annotation, where)
                file = pictures.find(image, where)
                face = LabelledPicture(file, person, keypoints, where, occluded=occluded, box=box, reviewed=reviewed)
                faces.append(face)
    bad.check_some_left(path, len(faces))
    if not faces:
        raise InputError(f"{path}: holds no annotation of {chosen['name']!r} with a labelled keypoint")
    images = counted(len({face.file for face in faces}), "picture")
    found = f"{images} with {counted(len(faces), 'face')} of the category {chosen['name']}"
    if left_out:
        found += "; left out: " + ", ".join(counted(count, noun) for noun, count in left_out.items())
    return LabelledPictures(pictures.root, faces, keypoint_set, label_source_of(names, keypoint_set), found)


def files(path: Path, folder: Path | None = None) -> tuple[Path, set[Path]]:
    """Returns the folder of the pictures of a COCO file, and those that are there; raises InputError as `read` does."""
    pictures = Pictures(path, folder, _coco(path)["images"])
    found = set()
    for image in pictures.names:
        try:
            found.add(pictures.find(image, str(path)))
        except InputError:  # which `read` reports
            continue
    return pictures.root, found


class Pictures:
    """The pictures that a COCO file names.

    Attributes:
        root: the folder that they lie in.
        names: the file name of each image, by its id, in the order of the file.
    """

    def __init__(self, path: Path, folder: Path | None, images: Iterable[Any]) -> None:
        """Finds the folder and reads the names.

        Args:
            path: the COCO file.
            folder: of the pictures; None: that of the file, or `images` there or beside that.
            images: the file's own list.

        Raises:
            InputError: no such folder, or an image has no id, no name, or the id of another one.
        """
        self.names: dict[Any, str] = {}
        for number, image in enumerate(images):
            where = f"{path}: image {number}"
            if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
                raise InputError(f"{where}: has no `file_name`; export the file again")
            if not isinstance(image_id := image.get("id"), int | str):
                raise InputError(f"{where} ({image['file_name'][:60]}): has no `id`; export the file again")
            if image_id in self.names:
                raise InputError(f"{where} ({image['file_name'][:60]}): has the id {image_id!r} of an earlier one")
            self.names[image_id] = image["file_name"]
        if folder is not None and not folder.is_dir():
            raise InputError(f"{folder}: no such folder; give the one that holds the pictures by --images")
        self._found: dict[Path, Any] = {}  # the image that each file is of
        if folder:
            places = [_Files(folder, self.names.values(), deep=True)]
        else:
            beside = [path.parent / BESIDE, path.parent.parent / BESIDE]
            places = [_Files(path.parent, self.names.values(), deep=False)]
            places += [_Files(place, self.names.values(), deep=True) for place in beside if place.is_dir()]
        holds_some = (files for files in places if any(files.look_up(name) for name in self.names.values()))
        self._files = next(holds_some, places[0])
        self.root = self._files.root

    def find(self, image: Any, where: str) -> Path:
        """Returns the file of an image, by its id.

        Raises:
            InputError: it is missing, its name leads out of the folder, or it is that of another image, too.
        """
        name = self.names[image]
        file = self._files.look_up(name) or self._files.folder.find(name, where)
        if self._found.setdefault(file, image) != image:
            raise InputError(
                f"{where}: image {image!r} is the picture {name} of image {self._found[file]!r}; put the annotations "
                "of a picture under one image"
            )
        return file


class _Files:
    """The files of a folder, by the names that a COCO file has for them.

    If there is no file of the whole name, the only one of the last part of that name will do, at any depth: tools
    export names with folders of their own, or without.
    """

    def __init__(self, root: Path, names: Iterable[str], deep: bool) -> None:
        """Takes a folder, all names, and whether files below it may be found by the last part of their names."""
        self.root, self.folder = root, PictureFolder(root)
        self._last_names = Counter(map(_last, names))
        self._by_last: dict[str, list[Path]] | None = None if deep else {}

    def look_up(self, name: str) -> Path | None:
        """Returns the file of a name; None if there is none."""
        with contextlib.suppress(InputError):
            return self.folder.find(name, "")
        if self._by_last is None:
            self._by_last = {}
            for folder, _, files in os.walk(self.root):
                for file in files:
                    self._by_last.setdefault(composed(file), []).append(Path(folder, file))
        alike = self._by_last.get(composed(_last(name)), [])
        return alike[0] if len(alike) == 1 and self._last_names[_last(name)] == 1 else None


def _last(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _coco(path: Path) -> dict[str, Any]:
    """Returns the values of a COCO file; raises InputError for any other, by its kind where it is known."""
    values = read_json(path)
    kind = kind_of(values)
    if kind != COCO:
        says = WHAT_TO_DO.get(kind or "", "is JSON, but not COCO: it lacks the lists `images` and `annotations`")
        raise InputError(f"{path}: {says}")
    found: dict[str, Any] = values
    return found


def _category(path: Path, categories: Any, name: str | None) -> dict[str, Any]:
    """Returns the category to read: by its name, or the only one with keypoints."""
    every = [each for each in categories or [] if isinstance(each, dict) and isinstance(each.get("name"), str)]
    with_keypoints = [each for each in every if each.get("keypoints")]
    if not with_keypoints:
        raise InputError(
            f"{path}: is COCO JSON without keypoints (categories: {shown_names([each['name'] for each in every])}), as "
            "of a set for detection; export it as COCO keypoints"
        )
    known = ", ".join(each["name"] for each in with_keypoints)
    if name is None:
        if len(with_keypoints) > 1:
            raise InputError(f"{path}: has several categories with keypoints ({known}); choose one by --category NAME")
        return with_keypoints[0]
    chosen = [each for each in with_keypoints if each["name"] == name]
    if len(chosen) != 1:
        raise InputError(f"{path}: has {len(chosen) or 'no'} categories {name!r} with keypoints; there are {known}")
    return chosen[0]


def _names(path: Path, category: dict[str, Any]) -> list[str]:
    names = category["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: category {category['name']}: `keypoints` must be a list of names")
    return names


def _skeleton(path: Path, names: Sequence[str], pairs: Any) -> list[list[str]]:
    """Returns the lines of a skeleton, each as two names; COCO counts keypoints from 1."""
    runs = []
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        inside = isinstance(pair, list) and len(pair) == 2
        if not inside or not all(type(end) is int and 1 <= end <= len(names) for end in pair):
            raise InputError(
                f"{path}: `skeleton` has {str(pair)[:40]}, expected pairs of keypoints counted from 1 to {len(names)}; "
                "correct it, or delete `skeleton`"
            )
        runs.append([names[end - 1] for end in pair])
    return runs


def _where(path: Path, number: int, annotation: Any) -> str:
    known = annotation.get("id") if isinstance(annotation, dict) else None
    return f"{path}: annotation {number}" + ("" if known is None else f" (id {str(known)[:20]})")


def _labels_any(keypoints: Any) -> bool:
    """Returns whether any keypoint has a visibility; True where the values are of another form, which is refused."""
    if not keypoints:
        return False
    return not isinstance(keypoints, list | array) or len(keypoints) % 3 > 0 or any(keypoints[2::3])


def _of_image(by_image: dict[Any, list[Any]], annotation: dict[str, Any], where: str) -> list[Any]:
    image = annotation.get("image_id")
    if not isinstance(image, int | str) or image not in by_image:
        raise InputError(
            f"{where}: is of image {str(image)[:40]}, which `images` does not list; add it there, or take the "
            "annotation out"
        )
    return by_image[image]


def _numbers(values: Any, what: str, where: str) -> list[float]:
    """Returns a list of numbers of px; raises InputError where a value is none, or lies beyond any picture."""
    for place, value in enumerate(values):
        if not is_px(value):
            raise InputError(f"{where}: has {str(value)[:20]!r} as value {place} of `{what}`, which is no number of px")
    return [float(value) for value in values]


def _keypoints(values: Any, keypoint_set: KeypointSet, names: Sequence[str], where: str) -> tuple[Float32, Bool]:
    """Returns the keypoints of an annotation in px, float32 (K, 2), and which are occluded, bool (K,)."""
    if not isinstance(values, list | array) or len(values) != 3 * len(names):
        count = len(values) if isinstance(values, list | array) else "no list of"
        raise InputError(
            f"{where}: has {count} numbers in `keypoints`, expected {3 * len(names)}: x, y and visibility of the "
            f"{len(names)} keypoints of its category"
        )
    written = np.array(_numbers(values, "keypoints", where)).reshape(-1, 3)
    visibility = written[:, 2]
    if (odd := np.flatnonzero(~np.isin(visibility, (NOT_LABELLED, OCCLUDED, VISIBLE)))).size:
        raise InputError(
            f"{where}: has the visibility {visibility[odd[0]]:g} for {names[odd[0]]}; expected 0 (not labelled), "
            "1 (occluded) or 2 (visible)"
        )
    keypoints = np.full((len(keypoint_set), 2), np.nan, np.float32)
    occluded = np.zeros(len(keypoints), bool)
    labelled = visibility != NOT_LABELLED
    at = np.array([keypoint_set.index(name) for name in names])
    keypoints[at[labelled]] = written[labelled, :2]
    occluded[at] = visibility == OCCLUDED
    check_placeholders(keypoints, keypoint_set.names, where, "set its visibility to 0")
    return keypoints, occluded


def _box(values: Any, where: str) -> Box | None:
    """Returns a box (x, y, width, height) in px; None where the annotation has none."""
    if not values:
        return None
    if not isinstance(values, list) or len(values) != 4:
        raise InputError(f"{where}: `bbox` is {str(values)[:40]}, expected x, y, width and height")
    x, y, width, height = _numbers(values, "bbox", where)
    if width <= 0 or height <= 0:
        raise InputError(
            f"{where}: has a box of {width:g} x {height:g} px; correct it, or delete `bbox`, so that the keypoints say "
            "where the face is"
        )
    return x, y, width, height


def _reviewed(annotation: dict[str, Any], where: str) -> bool:
    """Returns whether an annotation is a label: any but a prediction that nobody has reviewed."""
    attributes = annotation.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    if REVIEWED in attributes:
        return is_reviewed(attributes[REVIEWED], where)
    return "score" not in annotation
