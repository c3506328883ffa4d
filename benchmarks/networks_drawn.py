"""Draws the training of several networks, and their predictions for faces that the project draws.

    python -m benchmarks.networks_drawn MODEL_DIR... --out DIR

`faces.png` has a row of drawn faces for each network: the exact 15 keypoints in green, all predictions in magenta, and
the mean error of the 15 keypoints. Each network sees the faces in the position and size of its training faces: moved
and scaled, all in the same way, so that their mean shape lies on that of the training faces. `curves.png` shows the MAE
of training and validation faces after each epoch, in percent of the image's side, because the sides differ; models
without `history.csv`, such as means of others, are left out.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.backend import start_backend
from common.draw import PREDICTION, TRUTH, KeypointLayer, face_grid, save, subplots
from common.options import add_out_option, stage_parser
from common.tracking import HISTORY, read_history
from data_prep.faces import Faces, labelled_mean
from data_prep.synthetic import dataset
from evaluation.metrics import face_errors
from facial_keypoints import crops, geometry
from facial_keypoints.array_types import Float32, Float64
from facial_keypoints.codec import decode
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import FACE15, FACE68, as_face15
from facial_keypoints.spec import ModelSpec
from models.saved import LoadedModel, load_model, predict
from training.plots import plot_metric, set_scale

FACES = 6  # of each network
DRAWN, SEED = 60, 7  # drawn faces to take them from; any seed: nothing was trained on drawn faces


def complete_faces() -> Faces:
    """Returns `FACES` drawn faces of different people with all 15 keypoints."""
    drawn = dataset.read(DRAWN, SEED)
    complete = np.flatnonzero(drawn.labelled.all(axis=1))
    _, first = np.unique(drawn.groups[complete], return_index=True)
    return drawn.only(np.isin(np.arange(len(drawn)), complete[first[:FACES]]))


def mean_shape(spec: ModelSpec, path: Path) -> Float64:
    """Returns the 15 keypoints of a network's mean training face, (15, 2) in px; raises InputError for other sets."""
    mean = np.array(spec.crop.mean_keypoints, np.float64)
    if spec.keypoint_set == FACE68:
        return np.asarray(as_face15(mean), np.float64)
    if spec.keypoint_set == FACE15:
        return mean
    raise InputError(f"{path}: predicts {spec.keypoint_set.name}; give models of the 15 or the 68 keypoints")


def predict_drawn(loaded: LoadedModel, spec: ModelSpec, faces: Faces) -> Float32:
    """Returns a network's keypoints of drawn faces, float32 (N, K, 2) in px of the drawn images."""
    from_shape, to_shape = labelled_mean(faces.keypoints, faces.labelled), mean_shape(spec, loaded.path)
    scale = float(np.std(to_shape, axis=0).mean() / np.std(from_shape, axis=0).mean())
    shift = to_shape.mean(axis=0) - scale * from_shape.mean(axis=0)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    images = np.concatenate([crops.crop_faces(image, matrix[None], spec) for image in faces.images])
    outputs = predict(loaded, images, spec.keypoint_set)
    keypoints = decode(outputs, np.zeros(len(images), np.int64), spec.output_points).coordinates
    return geometry.transform(keypoints, geometry.inverse(matrix)).astype(np.float32)


def draw_faces(path: Path, networks: Sequence[tuple[str, Float32]], faces: Faces) -> None:
    """Writes a picture with a row of the faces for each network, whose predictions are float32 (N, K, 2)."""
    rows = len(networks)
    truth = np.tile(faces.keypoints, (rows, 1, 1))
    captions = []
    for name, keypoints in networks:
        of_15 = as_face15(keypoints) if keypoints.shape[1] == len(FACE68.names) else keypoints
        errors = face_errors(of_15.astype(np.float32), faces.keypoints, faces.labelled)
        captions += [f"{name}: {error:.1f} px" for error in errors]
    max_keypoints = max(keypoints.shape[1] for _, keypoints in networks)
    padded = np.full((len(truth), max_keypoints, 2), np.nan, np.float32)  # NaN is not drawn
    for row, (_, keypoints) in enumerate(networks):
        padded[row * len(faces) : (row + 1) * len(faces), : keypoints.shape[1]] = keypoints
    layers = [
        KeypointLayer(truth, TRUTH, "the 15 keypoints as drawn"),
        KeypointLayer(padded, PREDICTION, "predictions"),
    ]
    face_grid(path, np.tile(faces.images, (rows, 1, 1, 1)), layers, len(faces.images), captions)


def draw_curves(path: Path, folders: Sequence[Path], sides_px: Sequence[int]) -> None:
    """Writes a picture with a panel for each training run: MAE by epoch in percent of the image's side."""
    columns = min(4, len(folders))
    lines = -(-len(folders) // columns)
    figure, panels = subplots(lines, columns, figsize=(3 * columns, 2.4 * lines))
    panels = np.reshape(panels, (lines, columns))
    for axes in panels.flat[len(folders) :]:
        axes.axis("off")
    drawn: list[float] = []
    for axes, folder, side_px in zip(panels.flat, folders, sides_px, strict=False):
        trained = [row for row in read_history(folder) if "mae" in row]  # epoch 0 has validation alone
        drawn += plot_metric(axes, trained, "mae", 100 / side_px)
        axes.set_title(folder.name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.set_xlabel("epoch", fontsize=8)
    low, high = min(drawn), max(drawn)
    for axes in panels.flat[: len(folders)]:
        set_scale(axes, low, high)
        axes.set_ylim(0.95 * low, 1.05 * high)
    for axes in panels[:, 0]:
        axes.set_ylabel("MAE, % of the side", fontsize=8)
    panels[0, 0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    save(figure, path)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser(
        "benchmarks.networks_drawn", __doc__, "artifacts/models/base artifacts/models/v1 --out artifacts/drawn"
    )
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL_DIR", help="folders that training wrote")
    add_out_option(parser, Path("artifacts/drawn"))
    options = parser.parse_args(arguments)
    start_backend()
    faces = complete_faces()
    networks, trained, sides_px = [], [], []
    for path in options.models:
        loaded = load_model(path)
        if loaded.spec is None:
            raise InputError(f"{path}: does not say what the network predicts; give a folder that training wrote")
        networks.append((path.name, predict_drawn(loaded, loaded.spec, faces)))
        if (path / HISTORY).is_file():
            trained.append(path)
            sides_px.append(loaded.spec.crop.width_px)
    options.out.mkdir(parents=True, exist_ok=True)
    draw_faces(options.out / "faces.png", networks, faces)
    curves = options.out / "curves.png"
    curves.unlink(missing_ok=True)  # of an earlier run
    if trained:
        draw_curves(curves, trained, sides_px)
    print(f"{options.out}: faces.png{', curves.png' if trained else ''}")


if __name__ == "__main__":
    run(main)
