"""Cuts faces marked with 68 keypoints the way a 15-keypoint data folder is cut, to train on beside it.

python -m data_prep.cut15 FOLDER... --like artifacts/data --people SOURCE/groups.csv --out artifacts/cut15
python -m data_prep.prepare artifacts/cut15 --split all-test --out artifacts/more

Both marks of a keypoint that the two label sources place apart are known here, so each picture is written twice: as
source 0 with all keypoints, as source 1 with its few.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from common.array_types import Float32, Float64, UInt8
from common.stage import InputError, path_hash, run, seed, whole_folder, write_manifest
from data_prep import arrays, read_68, read_npz
from data_prep.faces import Part
from data_prep.keypoint_set import FACE15, KeypointSet
from data_prep.labels import read_table

# The points of the 68 whose mean is each keypoint, by its name; a mirrored name takes the points of the other side.
POINTS_OF = {
    "left_eye_center": (42, 43, 44, 45, 46, 47),
    "right_eye_center": (36, 37, 38, 39, 40, 41),
    "left_eye_inner_corner": (42,),
    "left_eye_outer_corner": (45,),
    "right_eye_inner_corner": (39,),
    "right_eye_outer_corner": (36,),
    "left_eyebrow_inner_end": (22,),
    "left_eyebrow_outer_end": (26,),
    "right_eyebrow_inner_end": (21,),
    "right_eyebrow_outer_end": (17,),
    "nose_tip": (30,),
    "mouth_left_corner": (54,),
    "mouth_right_corner": (48,),
    "mouth_center_top_lip": (51,),
    "mouth_center_bottom_lip": (57,),
}
SECOND_POINTS_OF = {"nose_tip": (33,), "mouth_center_bottom_lip": (66,)}  # the base of the nose, the lip's inner edge
SPARSE = ("left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip")  # all that source 1 marks


def keypoints_of(points: Float32, source: int) -> Float32:
    """Returns the 15 keypoints float32 (15, 2) that a label source (0 or 1) would mark; (68, 2) in.

    NaN for what source 1 does not mark.
    """
    places = POINTS_OF | (SECOND_POINTS_OF if source else {})
    keypoints = np.stack([points[list(places[name])].mean(axis=0) for name in FACE15.names])
    if source:
        keypoints[[name not in SPARSE for name in FACE15.names]] = np.nan
    return keypoints.astype(np.float32)


def similarity(origin: Float32, target: Float32) -> Float64:
    """Returns (2, 3): the turn, scale and shift that take two points (2, 2) onto two others, p to M @ (x, y, 1)."""
    before, after = origin.astype(float) @ [1, 1j], target.astype(float) @ [1, 1j]
    factor = (after[1] - after[0]) / (before[1] - before[0])
    shift = after[0] - factor * before[0]
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def cut(picture: UInt8, matrix: Float64, side: int) -> UInt8:
    """Returns the picture (H, W) under a similarity (2, 3), uint8 (side, side); shrinks first where that is needed."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 1:
        height, width = picture.shape
        smaller = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        ratio = np.array([width / smaller.shape[1], height / smaller.shape[0]])
        linear = matrix[:, :2] * ratio  # of the smaller picture, whose pixel centres lie elsewhere
        matrix = np.concatenate([linear, (matrix[:, :2] @ (ratio - 1) / 2 + matrix[:, 2])[:, None]], axis=1)
        picture = np.asarray(smaller, np.uint8)
    flat = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flat, np.uint8)


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    if options.cuts < 1:
        raise InputError(f"--cuts {options.cuts}: the number of pictures from each face must be at least 1")
    with whole_folder(options.out, "cut15", [*options.folders, options.like, options.people]) as folder:
        keypoint_set, eyes, side, held_out = read_model_folder(options.like, options.people)
        marked = [face for path in options.folders for face in read_68.read(path)]
        faces = [face for face in marked if face.person not in held_out]
        if len(faces) == len(marked):
            print(f"note: {options.people} puts nobody of these folders into val or test, by their names there")
        if not faces:
            raise InputError(f"{options.people}: every person of the folders is in val or test; nothing is left to cut")
        images, keypoints = cut_all(faces, eyes, side, options.cuts, options.seed)
        np.savez(folder / read_npz.IMAGES, face_images=np.moveaxis(np.concatenate([images] * 2), 0, -1))
        table = pd.DataFrame(keypoints.reshape(len(keypoints), -1), columns=keypoint_set.columns)
        table.to_csv(folder / read_npz.KEYPOINTS, index=False)
        people = [face.person for face in faces for _ in range(options.cuts)] * 2
        pd.DataFrame({"row": range(len(people)), "person": people}).to_csv(folder / read_npz.GROUPS, index=False)
        figures = {"pictures": len(images), "left_out": len(marked) - len(faces)}
        parameters = {"folders": [str(f) for f in options.folders], "cuts": options.cuts, "seed": options.seed}
        inputs = {str(path): path_hash(path) for path in [*options.folders, options.people]}
        write_manifest(folder, "cut15", parameters, inputs, figures, started)
    print(
        f"{options.out}: {len(images)} pictures cut from {len(faces)}; {figures['left_out']} left out: their people "
        f"are in val or test of {options.like}"
    )


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m data_prep.cut15", description=(__doc__ or "").splitlines()[0])
    p.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="pictures with 68 keypoints each")
    p.add_argument("--like", type=Path, required=True, metavar="DATA", help="data folder whose eye places are taken")
    p.add_argument("--people", type=Path, required=True, metavar="CSV", help="the groups.csv it was prepared from")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, a SOURCE for prepare")
    p.add_argument("--cuts", type=int, default=2, help="pictures from each face (default: %(default)s)")
    p.add_argument("--seed", type=seed, default=0, help="which eye places are taken (default: 0)")
    return p


def read_model_folder(like: Path, people: Path) -> tuple[KeypointSet, Float32, int, set[str]]:
    """Returns the mark-up, the labelled training eyes (N, 2, 2), the pictures' side in px and who is held out.

    Raises:
        InputError: no data folder of 15 keypoints, or the people are not those of its rows.
    """
    keypoint_set = arrays.load_keypoint_set(arrays.load_data_manifest(like))
    if keypoint_set != FACE15:
        raise InputError(f"{like}: has the keypoint set {keypoint_set.name}, this cuts for {FACE15.name}")
    parts = arrays.load_parts(like)
    table = read_table(people)
    if "person" not in table or len(table) != sum(map(len, parts.values())):
        raise InputError(f"{people}: needs a column person and a row for each face of {like}")
    names = table["person"].astype(str).to_numpy()
    held_out = {str(name) for split in ("val", "test") for name in names[parts[split].rows]}
    train: Part = parts["train"]
    pair = list(keypoint_set.normaliser)
    eyes = train.keypoints[train.labelled[:, pair].all(axis=1)][:, pair]
    if not len(eyes):
        raise InputError(f"{like}: no training face has both eyes labelled; prepare it with another --split")
    return keypoint_set, eyes, train.images.shape[1], held_out


def cut_all(faces: list[read_68.Marked], eyes: Float32, side: int, cuts: int, seed: int) -> tuple[UInt8, Float32]:
    """Returns pictures (N, side, side) and keypoints (2N, 15, 2): of source 0 for each picture, then of source 1.

    Each cut puts the eyes where a random face of `eyes` (., 2, 2) has them. What lies outside the picture is NaN.
    """
    rng = np.random.default_rng(seed)
    pair = list(FACE15.normaliser)
    images: list[UInt8] = []
    keypoints: dict[int, list[Float32]] = {0: [], 1: []}
    for face in tqdm(faces, unit="face", disable=None):
        picture = cv2.imread(str(face.picture), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise InputError(f"{face.picture}: cannot be read as a picture")
        origin = keypoints_of(face.points, source=0)[pair]
        for target in eyes[rng.integers(len(eyes), size=cuts)]:
            matrix = similarity(origin, target)
            images.append(cut(np.asarray(picture, np.uint8), matrix, side))
            for source, kept in keypoints.items():
                moved = keypoints_of(face.points, source) @ matrix[:, :2].T + matrix[:, 2]
                inside = ((moved > -0.5) & (moved < side - 0.5)).all(axis=1, keepdims=True)
                kept.append(np.where(inside, moved, np.nan).astype(np.float32))
    return np.stack(images), np.stack(keypoints[0] + keypoints[1])


if __name__ == "__main__":
    run(main)
