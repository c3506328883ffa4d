"""Predicts the test faces of a data folder with other programs, for `evaluation.evaluate`.

    python -m benchmarks.peers --data artifacts/data --out artifacts/peers [--model MODEL.onnx...]
    python -m evaluation.evaluate --predictions artifacts/peers/dlib.csv --name dlib

    dlib          its downloadable 68-point predictor. `dlib.csv` maps its points by hand to the keypoints of the face's
                  label source (68 points are unchanged); `dlib_calibrated.csv` uses a ridge regression per keypoint
                  and label source, fitted on the real labels of the training faces. The predictor was trained on
                  iBUG 300-W, which includes LFPW, HELEN and AFW, so its figures on these sets are too good.
    dlib_trained  a predictor by dlib's own trainer, from the complete training faces (`dlib_trained.dat`): the fair
                  comparison. `dlib_trained_calibrated.csv` distinguishes label sources; it is fitted on validation
                  faces, because the predictor has overfitted the training faces.
    mediapipe     the points of MediaPipe's face mesh, by ridge regressions fitted on the training faces.

All except `dlib_trained.csv` use the label source of a test face, which a picture does not show. Boxes, squares and
alphas are chosen on training faces; the modules describe how. At the end, all programs and the given ONNX models are
timed in turns, as in `benchmarks.network_speed`.

The packages are optional: `pip install -r requirements-peers.txt`; `--peers` chooses some.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import dlib68, dlib_trained, mediapipe_mesh
from benchmarks.calibration import Fits, calibrated, fit, map_by_hand
from benchmarks.network_speed import Call, calls_of, in_turns, singles_and_batches, table
from benchmarks.optional import optional
from common.options import add_data_option, add_out_option, stage_parser
from common.stage import Stage, stage_folder, write_manifest
from data_prep.arrays import load_split
from data_prep.faces import Split, evenly_spread
from evaluation.inputs import EvaluationData, load_data
from evaluation.metrics import mae_rmse
from evaluation.predictions import write_predictions
from facial_keypoints.array_types import Float32
from facial_keypoints.codec import Keypoints
from facial_keypoints.errors import InputError, run

SEARCH_FACES = 300  # training faces on which boxes are chosen
TIMED_FACES, TURNS = 100, 10


@dataclass(frozen=True)
class Peer:
    """A program's result on a data folder.

    Attributes:
        predicted: keypoints of the test faces by file name, float32 (N, K, 2) in px.
        call: one call of the predictor alone, on another face each time.
        notes: lines to print.
        metrics: for the manifest.
    """

    predicted: dict[str, Float32]
    call: Call
    notes: list[str]
    metrics: dict[str, Any]


def dlib_peer(predictor: Any, data: EvaluationData, _val: Split, _folder: Path) -> Peer:
    train, test, keypoint_set = data.train, data.test, data.keypoint_set
    boxes, steps = dlib68.choose_boxes(predictor, spread_out(train, SEARCH_FACES), keypoint_set)
    points, _ = dlib68.find_points(predictor, train.images, boxes)
    fits = fit(points, train, map_by_hand(points, train.label_sources, keypoint_set))
    points, detected = dlib68.find_points(predictor, test.images, boxes)
    hand = map_by_hand(points, test.label_sources, keypoint_set)
    left, top, right, bottom = boxes.fixed
    return Peer(
        {"dlib": hand, "dlib_calibrated": calibrated(fits, points, test.label_sources, hand)},
        dlib68.next_face(predictor, spread_out(test, TIMED_FACES).images, boxes.fixed),
        [
            f"fixed box: columns {left:.1f} to {right:.1f}, rows {top:.1f} to {bottom:.1f}",
            "RMSE on training faces, by hand: " + ", ".join(f"{step} {rmse:.3f} px" for step, rmse in steps.items()),
            f"the detector finds {detected:,} of {len(test):,} test faces",
            alphas_text(fits),
        ],
        {
            "fixed_box": boxes.fixed.tolist(),
            "relation": boxes.relation.tolist(),
            "train_rmse_px": steps,
            "detected": detected,
        },
    )


def trained_peer(dlib: Any, data: EvaluationData, val: Split, folder: Path) -> Peer:
    train, test = data.train, data.test
    file, faces = folder / "dlib_trained.dat", int(dlib_trained.complete(train).sum())
    seconds, size = dlib_trained.train(train, data.keypoint_set, file), file.stat().st_size
    predictor = dlib.shape_predictor(str(file))
    points = dlib_trained.find_points(predictor, val.images)
    fits = fit(points, val, points.astype(np.float32))
    points = dlib_trained.find_points(predictor, test.images)
    hand = points.astype(np.float32)
    return Peer(
        {"dlib_trained": hand, "dlib_trained_calibrated": calibrated(fits, points, test.label_sources, hand)},
        dlib68.next_face(predictor, spread_out(test, TIMED_FACES).images, dlib_trained.whole_box(test.images)),
        [
            f"trained on the {faces:,} complete faces of {len(train):,} in {seconds / 60:.1f} minutes; "
            f"{file.name} has {size / 1e6:.1f} MB",
            alphas_text(fits),
        ],
        {"settings": dlib_trained.SETTINGS, "train_faces": faces, "train_seconds": round(seconds, 1), "bytes": size},
    )


def mesh_peer(mesh: mediapipe_mesh.Mesh, data: EvaluationData, _val: Split, _folder: Path) -> Peer:
    train, test = data.train, data.test
    square, rmse = mediapipe_mesh.choose_square(mesh, spread_out(train, SEARCH_FACES))
    mean = train.keypoints.mean(axis=0)
    fits = fit(mediapipe_mesh.find_points(mesh, train.images, square), train, np.tile(mean, (len(train), 1, 1)))
    points = mediapipe_mesh.find_points(mesh, test.images, square)
    return Peer(
        {"mediapipe": calibrated(fits, points, test.label_sources, np.tile(mean, (len(test), 1, 1)))},
        mediapipe_mesh.next_face(mesh, spread_out(test, TIMED_FACES).images, square),
        [f"RMSE on training faces, with the best fixed square: {rmse:.3f} px", alphas_text(fits)],
        {"fixed_square": square.tolist(), "train_rmse_px": rmse},
    )


# How each program is loaded, and how it predicts.
STAGE = Stage("peers", "benchmarks.peers", "--out DIR")
PEERS: dict[str, tuple[Callable[[], Any], Callable[[Any, EvaluationData, Split, Path], Peer]]] = {
    "dlib": (dlib68.load_predictor, dlib_peer),
    "dlib_trained": (lambda: optional("dlib"), trained_peer),
    "mediapipe": (mediapipe_mesh.load_mesh, mesh_peer),
}


def alphas_text(fits: Fits) -> str:
    return f"ridge alphas: {', '.join(f'{alpha:g}' for alpha in sorted({each.alpha for each in fits.values()}))}"


def spread_out(split: Split, count: int) -> Split:
    """Returns at most `count` faces, spread evenly over a split."""
    return split.only(evenly_spread(len(split), count))


def check(folder: Path, data: EvaluationData, val: Split, chosen: Sequence[str]) -> None:
    """Raises InputError if there are no labels to fit the chosen programs to."""
    if not data.train.labelled.any():
        raise InputError(f"{folder}: has no training labels to fit peers to; prepare it again with another --split")
    if "dlib_trained" in chosen and not (val.labelled.any() and dlib_trained.complete(data.train).any()):
        raise InputError(
            f"{folder}: has no complete training face, or no validation face, for dlib_trained; "
            "prepare it from complete faces, or leave it out with --peers"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.peers", __doc__, "--peers dlib --data artifacts/data --out artifacts/peers")
    add_data_option(parser)
    add_out_option(parser, Path("artifacts/peers"))
    parser.add_argument(
        "--peers",
        nargs="+",
        choices=PEERS,
        default=list(PEERS),
        metavar="PEER",
        help=f"programs to run: {', '.join(PEERS)} (default: all)",
    )
    parser.add_argument("--model", nargs="+", type=Path, default=[], metavar="MODEL.onnx", help="our models to time")
    options = parser.parse_args(arguments)
    started = time.time()
    chosen = list(dict.fromkeys(options.peers))
    loaded = {name: PEERS[name][0]() for name in chosen}  # reports missing packages before the long work starts
    models = {name: pair for path in options.model for name, pair in calls_of(path).items()}
    data = load_data(options.data)
    val, test = load_split(options.data, "val", data.keypoint_set), data.test
    check(options.data, data, val, chosen)
    with stage_folder(options.out, STAGE, [options.data, *options.model]) as folder:
        metrics: dict[str, Any] = {}
        calls: dict[str, Call] = {}
        for name in chosen:
            peer = PEERS[name][1](loaded[name], data, val, folder)
            calls[name], metrics[name] = peer.call, peer.metrics
            print("\n".join(f"{name}: {note}" for note in peer.notes), flush=True)
            for file, keypoints in peer.predicted.items():
                write_predictions(folder / f"{file}.csv", Keypoints(keypoints), test.rows, data.keypoint_set)
                mae, rmse = mae_rmse(keypoints, test.keypoints, test.labelled)
                metrics[name][file] = {"mae_px": mae, "rmse_px": rmse}
                print(f"{file}: MAE {mae:.3f} px, RMSE {rmse:.3f} px on {2 * test.labelled.sum():,} real coordinates")
        seconds = in_turns(singles_and_batches(models, calls), TURNS)
        metrics["processor_ms"] = {name: 1e3 * elapsed for (name, batch), elapsed in seconds.items() if batch == 1}
        parameters = {"data": str(options.data), "peers": chosen, "models": [str(path) for path in options.model]}
        write_manifest(folder, STAGE, parameters, {"data": data.hash}, metrics, started)
    print(table(list(models), chosen, seconds))
    print(f"wrote {options.out}")


if __name__ == "__main__":
    run(main)
