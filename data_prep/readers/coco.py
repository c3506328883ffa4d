"""Reads COCO keypoint JSON, as exported by CVAT, Label Studio, Roboflow and converters of LabelMe's files.

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

IMAGES_FOLDER = "images"  # the folder of pictures in most tools' exports

Box = tuple[float, float, float, float]


def read(
    path: Path,
    folder: Path | None = None,
    category: str | None = None,
    bad: BadFaces = STRICT,
    keypoint_set: KeypointSet | None = None,
) -> LabelledPictures:
    """Returns the faces of one category of a COCO file.

    A keypoint of visibility 0 is unlabelled, one of visibility 1 is occluded. Crowds and annotations without a
    labelled keypoint are left out and counted. An annotation with a `score` or the attribute `reviewed` is a
    prediction, which is a label only if `reviewed` is true. All faces of a picture count as one person.

    Args:
        path: the JSON file.
        folder: the folder of its pictures; None: that of the file, or `images` in it or beside it.
        category: name of a category; None: the only one with keypoints.
        bad: skips faces that cannot be used, or raises their error.
        keypoint_set: the set that defines the names; None: a built-in set with these names, or a new one.

    Raises:
        InputError: the file is not COCO JSON, lacks the category, has several and `category` is None, or has no face;
            or, unless `bad` skips the face, its image is missing, it has too few or too many numbers, a value that is
            not in px, a box without size, or a placeholder for a missing label.
    """
    values = _read_coco(path)
    category_values = _category(path, values.get("categories"), category)
    names = _names(path, category_values)
    skeleton = _skeleton(path, names, category_values.get("skeleton") or [])
    keypoint_set = set_of_names(names, str(path), keypoint_set, str(category_values["name"]), skeleton)
    pictures = Pictures(path, folder, values["images"])
    by_image: dict[Any, list[tuple[str, dict[str, Any]]]] = {image: [] for image in pictures.names}
    left_out: Counter[str] = Counter()
    for number, annotation in enumerate(values["annotations"]):
        where = _where(path, number, annotation)
        with bad.left_out():
            if not isinstance(annotation, dict):
                raise InputError(f"{where}: is not an annotation; export the file again")
            if annotation.get("category_id") != category_values.get("id"):
                continue
            if annotation.get("iscrowd"):
                left_out["crowd"] += 1
            elif not _labels_any(annotation.get("keypoints")):
                left_out["annotation without a labelled keypoint"] += 1
            else:
                _annotations_of_image(by_image, annotation, where).append((where, annotation))
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
    bad.check_any_usable(path, len(faces))
    if not faces:
        raise InputError(f"{path}: holds no annotation of {category_values['name']!r} with a labelled keypoint")
    images = counted(len({face.file for face in faces}), "picture")
    description = f"{images} with {counted(len(faces), 'face')} of the category {category_values['name']}"
    if left_out:
        description += "; left out: " + ", ".join(counted(count, noun) for noun, count in left_out.items())
    return LabelledPictures(pictures.root, faces, keypoint_set, label_source_of(names, keypoint_set), description)


def files(path: Path, folder: Path | None = None) -> tuple[Path, set[Path]]:
    """Returns the folder of a COCO file's pictures, and the existing ones; raises InputError as `read` does."""
    pictures = Pictures(path, folder, _read_coco(path)["images"])
    pictures_found = set()
    for image in pictures.names:
        try:
            pictures_found.add(pictures.find(image, str(path)))
        except InputError:  # `read` reports it
            continue
    return pictures.root, pictures_found


class Pictures:
    """The pictures that a COCO file names.

    Attributes:
        root: their folder.
        names: the file name of each image, by its id, in the order of the file.
    """

    def __init__(self, path: Path, folder: Path | None, images: Iterable[Any]) -> None:
        """Finds the folder and reads the names.

        Args:
            path: the COCO file.
            folder: of the pictures; None: that of the file, or `images` in it or beside it.
            images: the list `images` of the file.

        Raises:
            InputError: the folder does not exist, or an image has no id, no name, or the id of another one.
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
        self._image_of_file: dict[Path, Any] = {}  # the image of each file
        if folder:
            searches = [_Files(folder, self.names.values(), deep=True)]
        else:
            beside = [path.parent / IMAGES_FOLDER, path.parent.parent / IMAGES_FOLDER]
            searches = [_Files(path.parent, self.names.values(), deep=False)]
            searches += [
                _Files(images_folder, self.names.values(), deep=True)
                for images_folder in beside
                if images_folder.is_dir()
            ]
        successful = (files for files in searches if any(files.look_up(name) for name in self.names.values()))
        self._files = next(successful, searches[0])
        self.root = self._files.root

    def find(self, image: Any, where: str) -> Path:
        """Returns the file of an image, by its id.

        Raises:
            InputError: the file is missing, outside the folder, or also that of another image.
        """
        name = self.names[image]
        file = self._files.look_up(name) or self._files.folder.find(name, where)
        if self._image_of_file.setdefault(file, image) != image:
            raise InputError(
                f"{where}: image {image!r} is the picture {name} of image {self._image_of_file[file]!r}; put the "
                "annotations of a picture under one image"
            )
        return file


class _Files:
    """Finds the files of a folder by their names in a COCO file.

    If no file has the whole name, takes the only file with its last component, at any depth: some tools add folders to
    names, others remove them.
    """

    def __init__(self, root: Path, names: Iterable[str], deep: bool) -> None:
        """Stores the folder; `deep` allows finding files by the last component of their names, at any depth."""
        self.root, self.folder = root, PictureFolder(root)
        self._last_names = Counter(map(_last_component, names))
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
        matches = self._by_last.get(composed(_last_component(name)), [])
        return matches[0] if len(matches) == 1 and self._last_names[_last_component(name)] == 1 else None


def _last_component(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _read_coco(path: Path) -> dict[str, Any]:
    """Returns the values of a COCO file; raises InputError for other files, and names their kind if it is known."""
    values = read_json(path)
    kind = kind_of(values)
    if kind != COCO:
        problem = WHAT_TO_DO.get(kind or "", "is JSON, but not COCO: it lacks the lists `images` and `annotations`")
        raise InputError(f"{path}: {problem}")
    coco_values: dict[str, Any] = values
    return coco_values


def _category(path: Path, categories: Any, name: str | None) -> dict[str, Any]:
    """Returns the category to read: the one with this name, or the only one with keypoints."""
    named = [each for each in categories or [] if isinstance(each, dict) and isinstance(each.get("name"), str)]
    with_keypoints = [each for each in named if each.get("keypoints")]
    if not with_keypoints:
        raise InputError(
            f"{path}: is COCO JSON without keypoints (categories: {shown_names([each['name'] for each in named])}), as "
            "of a set for detection; export it as COCO keypoints"
        )
    names = ", ".join(each["name"] for each in with_keypoints)
    if name is None:
        if len(with_keypoints) > 1:
            raise InputError(f"{path}: has several categories with keypoints ({names}); choose one by --category NAME")
        return with_keypoints[0]
    matches = [each for each in with_keypoints if each["name"] == name]
    if len(matches) != 1:
        raise InputError(f"{path}: has {len(matches) or 'no'} categories {name!r} with keypoints; there are {names}")
    return matches[0]


def _names(path: Path, category: dict[str, Any]) -> list[str]:
    names = category["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: category {category['name']}: `keypoints` must be a list of names")
    return names


def _skeleton(path: Path, names: Sequence[str], pairs: Any) -> list[list[str]]:
    """Returns the lines of a skeleton, each as two names, from pairs of numbers, which COCO counts from 1."""
    lines = []
    for pair in pairs if isinstance(pairs, list) else [pairs]:
        is_pair = isinstance(pair, list) and len(pair) == 2
        if not is_pair or not all(type(end) is int and 1 <= end <= len(names) for end in pair):
            raise InputError(
                f"{path}: `skeleton` has {str(pair)[:40]}, expected pairs of keypoints counted from 1 to {len(names)}; "
                "correct it, or delete `skeleton`"
            )
        lines.append([names[end - 1] for end in pair])
    return lines


def _where(path: Path, number: int, annotation: Any) -> str:
    annotation_id = annotation.get("id") if isinstance(annotation, dict) else None
    return f"{path}: annotation {number}" + ("" if annotation_id is None else f" (id {str(annotation_id)[:20]})")


def _labels_any(keypoints: Any) -> bool:
    """Returns whether any keypoint is labelled; True also for malformed values, which `_keypoints` rejects."""
    if not keypoints:
        return False
    return not isinstance(keypoints, list | array) or len(keypoints) % 3 > 0 or any(keypoints[2::3])


def _annotations_of_image(by_image: dict[Any, list[Any]], annotation: dict[str, Any], where: str) -> list[Any]:
    image = annotation.get("image_id")
    if not isinstance(image, int | str) or image not in by_image:
        raise InputError(
            f"{where}: is of image {str(image)[:40]}, which `images` does not list; add it there, or take the "
            "annotation out"
        )
    return by_image[image]


def _numbers(values: Any, key: str, where: str) -> list[float]:
    """Returns values in px as floats; raises InputError if one is not a number, or beyond any picture."""
    for index, value in enumerate(values):
        if not is_px(value):
            raise InputError(
                f"{where}: has {str(value)[:20]!r} as value {index} of `{key}`, which is not a number in px"
            )
    return [float(value) for value in values]


def _keypoints(values: Any, keypoint_set: KeypointSet, names: Sequence[str], where: str) -> tuple[Float32, Bool]:
    """Returns the keypoints of an annotation in px, float32 (K, 2), and which are occluded, bool (K,)."""
    if not isinstance(values, list | array) or len(values) != 3 * len(names):
        count = len(values) if isinstance(values, list | array) else "no list of"
        raise InputError(
            f"{where}: has {count} numbers in `keypoints`, expected {3 * len(names)}: x, y and visibility of the "
            f"{len(names)} keypoints of its category"
        )
    table = np.array(_numbers(values, "keypoints", where)).reshape(-1, 3)
    visibility = table[:, 2]
    if (odd := np.flatnonzero(~np.isin(visibility, (NOT_LABELLED, OCCLUDED, VISIBLE)))).size:
        raise InputError(
            f"{where}: has the visibility {visibility[odd[0]]:g} for {names[odd[0]]}; expected 0 (not labelled), "
            "1 (occluded) or 2 (visible)"
        )
    keypoints = np.full((len(keypoint_set), 2), np.nan, np.float32)
    occluded = np.zeros(len(keypoints), bool)
    labelled = visibility != NOT_LABELLED
    indexes = np.array([keypoint_set.index(name) for name in names])
    keypoints[indexes[labelled]] = table[labelled, :2]
    occluded[indexes] = visibility == OCCLUDED
    check_placeholders(keypoints, keypoint_set.names, where, "set its visibility to 0")
    return keypoints, occluded


def _box(values: Any, where: str) -> Box | None:
    """Returns a box (x, y, width, height) in px; None if the annotation has none."""
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
    """Returns whether an annotation is a label: not a prediction, or one that a person has reviewed."""
    attributes = annotation.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    if REVIEWED in attributes:
        return is_reviewed(attributes[REVIEWED], where)
    return "score" not in annotation
