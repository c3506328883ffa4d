"""Cuts faces with 68 keypoints the way a 15-keypoint data folder is cut, to train on beside it.

python -m data_prep.cut15 FOLDER... --like artifacts/data --people SOURCE/groups.csv --out artifacts/cut15
python -m data_prep.prepare artifacts/cut15 --split all-test --out artifacts/extra

Whoever is in the validation or test part of `--like` is left out. People are told by their names: in each folder at
least one must be a name in `--people`, or `--strangers` must say that nobody of the data folder can be there.

Where the complete and the sparse label source mean two places by one keypoint's name, both are known here, so each
picture is written twice: with all keypoints as the first labels them, with the few of the second as that labels them.
"""

import argparse
import hashlib
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from common.hashes import file_hash
from common.quiet import native_stderr_silenced
from common.stage import seed, stage_folder, write_manifest
from data_prep import arrays, read_68, read_npz
from data_prep.faces import Part
from data_prep.untrusted import parsing
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32, UInt8
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import FACE15, as_face15

NEAREST_EYES_PX = 1.0
EYES = (0, 1)  # centres
SPARSE = FACE15.sources[1].keypoints


def keypoints_of(points: Float32, source: int) -> Float32:
    """Returns the 15 keypoints float32 (15, 2) that a label source (0 or 1) would label; (68, 2) in.

    NaN for what source 1 does not label.
    """
    keypoints = as_face15(points, source)
    if source:
        keypoints[[k not in SPARSE for k in range(len(FACE15))]] = np.nan
    return keypoints.astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    if options.cuts < 1:
        raise InputError(f"--cuts {options.cuts}: the number of pictures from each face must be at least 1")
    with stage_folder(options.out, "cut15", [*options.folders, options.like, options.people]) as folder:
        manifest = arrays.load_data_manifest(options.like)
        if (keypoint_set := arrays.load_keypoint_set(manifest)) != FACE15:
            raise InputError(f"{options.like}: has the keypoint set {keypoint_set.name}, this cuts for {FACE15.name}")
        parts = arrays.load_parts(options.like, keypoint_set)
        eyes = eye_places(options.like, parts["train"])
        known, held_out = read_people(options.people, options.like, parts)

        labelled = {path: read_68.read(path) for path in options.folders}
        if not options.strangers:
            check_names(options.people, known, labelled)
        used = {
            path: [face for face in of_folder if face.person not in held_out] for path, of_folder in labelled.items()
        }
        faces = [face for of_folder in used.values() for face in of_folder]
        left_out = sum(map(len, labelled.values())) - len(faces)
        if not faces:
            raise InputError(
                f"{options.people}: everybody in the folders is in val or test of {options.like}; bring more folders"
            )

        images, keypoints = cut_all(faces, eyes, parts["train"].images.shape[1], options.cuts, options.seed)
        people = [face.person for face in faces for _ in range(options.cuts)] * 2
        save_source(folder, np.concatenate([images] * 2), keypoints, people)
        inputs = {str(path): read_hash(path, of_folder) for path, of_folder in used.items()}
        inputs |= {str(options.people): file_hash(options.people), "like": arrays.data_hash(manifest)}
        parameters = {
            "folders": [str(path) for path in options.folders],
            "cuts": options.cuts,
            "seed": options.seed,
            "strangers": options.strangers,
        }
        write_manifest(folder, "cut15", parameters, inputs, {"pictures": len(images), "left_out": left_out}, started)
    print(
        f"{options.out}: {len(images)} pictures cut from {len(faces)}; {left_out} left out: their people are in val or "
        f"test of {options.like}"
    )


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m data_prep.cut15", description=(__doc__ or "").splitlines()[0])
    p.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="pictures with 68 keypoints each")
    p.add_argument(
        "--like", type=Path, required=True, metavar="DATA", help="data folder whose eye places and split are taken"
    )
    p.add_argument("--people", type=Path, required=True, metavar="CSV", help="the groups.csv it was prepared from")
    p.add_argument(
        "--strangers", action="store_true", help="folders may hold other people only; else a name must be in --people"
    )
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, a SOURCE for prepare")
    p.add_argument("--cuts", type=int, default=2, help="pictures from each face (default: %(default)s)")
    p.add_argument("--seed", type=seed, default=0, help="which eye places are taken (default: 0)")
    return p


def eye_places(like: Path, train: Part) -> Float32:
    """Returns where the training faces of a data folder have both eyes labelled, float32 (N, 2, 2) in px.

    Raises:
        InputError: nowhere.
    """
    pair = list(EYES)
    eyes = train.keypoints[train.labelled[:, pair].all(axis=1)][:, pair]
    if not len(eyes):
        raise InputError(f"{like}: no training face has both eyes labelled; prepare it with another --split")
    return eyes


def read_people(path: Path, like: Path, parts: dict[str, Part]) -> tuple[set[str], set[str]]:
    """Returns everybody in a data folder by name, and who of them is in its validation or test part.

    Raises:
        InputError: the file names no people, or not those of the folder's rows.
    """
    names = np.array(read_npz.read_people(path), object)
    if len(names) != sum(map(len, parts.values())):
        raise InputError(
            f"{path}: has {len(names)} rows, not one for each face of {like}; give the groups.csv of its source"
        )
    return set(names), {name for split in ("val", "test") for name in names[parts[split].rows]}


def check_names(people: Path, known: set[str], labelled: dict[Path, list[read_68.LabelledPicture]]) -> None:
    """Raises InputError where a folder holds no known name: who is held out could not be told there."""
    for folder, faces in labelled.items():
        if known.isdisjoint(face.person for face in faces):
            raise InputError(
                f"{folder}: nobody there ({faces[0].person}, ...) is named in {people}, so who is in val or test "
                "cannot be told; rename the folder or its files as they were, or say --strangers if they are others"
            )


def read_hash(folder: Path, faces: Iterable[read_68.LabelledPicture]) -> str:
    """Returns the SHA-256 of what is read of a folder: its label files and the pictures of these faces."""
    files = [*read_68.label_files(folder), *(face.picture for face in faces)]
    lines = [f"{file.relative_to(folder)} {file_hash(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def save_source(folder: Path, images: UInt8, keypoints: Float32, people: Sequence[str]) -> None:
    """Writes faces as `read_npz` reads them: pictures (N, H, W), keypoints (N, 15, 2), a name for each."""
    np.savez(folder / read_npz.IMAGES, face_images=np.moveaxis(images, 0, -1))
    table = pd.DataFrame(keypoints.reshape(len(keypoints), -1), columns=FACE15.columns)
    table.to_csv(folder / read_npz.KEYPOINTS, index=False)
    pd.DataFrame({"row": range(len(people)), "person": people}).to_csv(folder / read_npz.GROUPS, index=False)


def read_grey(path: Path) -> UInt8:
    """Returns a picture, uint8 (H, W); raises InputError where it is none."""
    with native_stderr_silenced(), parsing(path, "picture", "fetch it again"):  # OpenCV warns of damage on its own
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise InputError(f"{path}: cannot be read as a picture; fetch it again")
        return np.asarray(picture, np.uint8)


def cut_all(
    faces: list[read_68.LabelledPicture], eyes: Float32, side: int, cuts: int, seed: int
) -> tuple[UInt8, Float32]:
    """Returns pictures (N, side, side) and keypoints (2N, 15, 2): of source 0 for each picture, then of source 1.

    Each cut puts the eyes where a random face of `eyes` (., 2, 2) has them. What lies outside the picture is NaN.

    Raises:
        InputError: a file is no picture, or its eyes are labelled so near each other that they say no size.
    """
    rng = np.random.default_rng(seed)
    pair = list(EYES)
    images: list[UInt8] = []
    keypoints: dict[int, list[Float32]] = {0: [], 1: []}
    for face in tqdm(faces, unit="face", disable=None):
        picture = read_grey(face.picture)
        labels = {source: keypoints_of(face.points, source) for source in keypoints}
        origin = labels[0][pair]
        apart = float(np.hypot(*(origin[1] - origin[0])))
        if apart < NEAREST_EYES_PX:
            raise InputError(
                f"{face.picture}: its eyes are labelled {apart:.2f} px apart; mend its keypoints or take the face out"
            )
        for matrix in geometry.fit_similarity(origin, eyes[rng.integers(len(eyes), size=cuts)]):
            images.append(geometry.crop(picture, matrix, side, side))
            for source, kept in keypoints.items():
                moved = geometry.transform(labels[source], matrix)
                inside = ((moved > -0.5) & (moved < side - 0.5)).all(axis=1, keepdims=True)
                kept.append(np.where(inside, moved, np.nan).astype(np.float32))
    return np.stack(images), np.stack(keypoints[0] + keypoints[1])


if __name__ == "__main__":
    run(main)
