"""Measures how a network's error grows with crops that are shifted, scaled or rotated.

    python -m benchmarks.crop_robustness MODEL --data DIR [--origin TEXT]

MODEL is a shipped model, a model folder or an ONNX file. DIR is a data folder of faces that were cropped from pictures.
Each test face is cropped again from its picture, so the sides show the real picture. The network predicts once; the
crop is not refined. Errors are the mean distance of the labelled keypoints, in percent of the first normalizer's
distance, compared with the error in the original crop.
"""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from common.markdown import table
from common.options import add_data_option, stage_parser
from data_prep.faces import Origins
from evaluation.inputs import EvaluationData, load_data
from evaluation.metrics import face_nme
from evaluation.original_pictures import read_originals
from facial_keypoints import crops, geometry
from facial_keypoints.array_types import Bool, Float32, Float64
from facial_keypoints.errors import InputError, run
from facial_keypoints.predictor import Predictor

SHIFT = 8 / 96  # of the crop's side
CHANGES: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    # degrees, scale, right, down (shares of the side); the errors of the changes on one line are averaged
    "as it was": ((0, 1, 0, 0),),
    "moved by 8 px of 96": ((0, 1, SHIFT, 0), (0, 1, -SHIFT, 0), (0, 1, 0, SHIFT), (0, 1, 0, -SHIFT)),
    "20 % larger or smaller": ((0, 1.2, 0, 0), (0, 0.8, 0, 0)),
    "turned by 15 degrees": ((15, 1, 0, 0), (-15, 1, 0, 0)),
    "turned by 30 degrees": ((30, 1, 0, 0), (-30, 1, 0, 0)),
    "turned by 45 degrees": ((45, 1, 0, 0), (-45, 1, 0, 0)),
}


def predict_changed(predictor: Predictor, data: EvaluationData, changes: Float64) -> Float32:
    """Predicts the keypoints under each of V changes (V, 2, 3); returns float32 (V, N, K, 2) in px of the crops."""
    test, origins = data.test, data.origins
    if test.crops is None or origins is None:
        raise InputError("--data: its faces were not cropped from pictures; give a data folder of pictures")
    spec, names = predictor.spec, [source.name for source in data.keypoint_set.label_sources]
    known_sources = {data.keypoint_set.label_sources[number].name for number in (0, *spec.label_sources)}
    keypoints = np.empty((len(changes), *test.keypoints.shape), np.float32)
    for i in tqdm(range(len(test)), unit="face", disable=None):
        picture = read_originals(test, origins, np.array([i]), data.exif)[0]
        images = crops.crop_faces(picture, geometry.chained(test.crops[i], changes), spec)
        source = names[test.label_sources[i]]
        coordinates, _ = predictor.predict_crops(images, source if source in known_sources else None)
        keypoints[:, i] = geometry.transform(coordinates, geometry.inverse(changes))
    return keypoints


def faces_of_origin(origins: Origins | None, text: str) -> Bool:
    """Returns which faces come from a folder with the text in its name, bool (N,); raises InputError if none does."""
    kept = np.array([text in folder for folder in origins.folders]) if origins else np.zeros(0, bool)
    if not kept.any():
        raise InputError(f"--origin {text}: no test face comes from a folder with this text in its name")
    return kept


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.crop_robustness", __doc__, "v2 --data artifacts/extra --origin helen68")
    parser.add_argument("model", help="a shipped model, a model folder or an .onnx file")
    add_data_option(parser)
    parser.add_argument("--origin", metavar="TEXT", help="only faces from folders with this text in their name")
    options = parser.parse_args(arguments)
    predictor, data = Predictor(options.model), load_data(options.data)
    if predictor.spec.keypoint_set != data.keypoint_set or predictor.spec.crop.shape != data.test.images.shape[1:]:
        raise InputError(f"{options.data}: its faces do not fit {options.model}; prepare them as its model card says")
    if options.origin:
        data = data.only(faces_of_origin(data.origins, options.origin))
    side_px = data.test.images.shape[1]
    matrices = np.stack(
        [
            geometry.about_middle(side_px, degrees, times, right * side_px, down * side_px)
            for variants in CHANGES.values()
            for degrees, times, right, down in variants
        ]
    )
    keypoints = predict_changed(predictor, data, matrices)
    errors = [
        face_nme(points, data.test.keypoints, data.test.labelled, data.keypoint_set.normalizers[0])
        for points in keypoints
    ]
    rows, start = [], 0
    original_error = float(np.nanmean(errors[0]))
    for name, variants in CHANGES.items():
        error = float(np.nanmean(errors[start : start + len(variants)]))
        start += len(variants)
        rows.append((name, f"{error:.2f}", f"{100 * (error / original_error - 1):+.1f} %"))
    print(f"{len(data.test):,} faces, {data.keypoint_set.normalizers[0].name}")
    print(table(("crop", "NME, %", "more"), rows))


if __name__ == "__main__":
    run(main)
