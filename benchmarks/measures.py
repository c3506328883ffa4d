"""Measures how exact `facial_keypoints.measures` is on drawn faces, whose pose and lids are known.

    python -m benchmarks.measures [--count 400] [--seed 7] [--model NAME|DIR|FILE]

It prints, for the true keypoints and for those that the networks predict (v2 and v2-68 unless --model names others):
the median errors of yaw, pitch and roll in degrees; how often yaw and pitch have the right sign on the half of the
faces that are turned more; by how much roll differs from the angle by which a picture was turned; and how well the
openness of the eyes separates closed eyes from open ones (area under the ROC curve; 0.5 is chance, 1 is perfect).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.markdown import table
from common.options import stage_parser
from data_prep.synthetic.person import Moment, a_moment, a_person
from data_prep.synthetic.picture import draw
from facial_keypoints import geometry
from facial_keypoints.array_types import Bool, Float64, UInt8
from facial_keypoints.crops import crop_of_whole
from facial_keypoints.errors import InputError, run
from facial_keypoints.keypoint_set import FACE15, KeypointSet
from facial_keypoints.measures import Measures, measures
from facial_keypoints.predictor import Predictor

TURNS_DEGREES = (-30.0, -20.0, -10.0, 10.0, 20.0, 30.0)
MODELS = ("v2", "v2-68")
MAX_FACES = 100_000  # faces


@dataclass(frozen=True)
class DrawnFace:
    """A drawn face: picture uint8 (H, W, 1), keypoints float64 (15, 2) in px, and the facts of the moment.

    `visible`: whether nothing hides the eyes.
    """

    picture: UInt8
    keypoints: Float64
    moment: Moment
    visible: bool


def draw_people(count: int, seed: int) -> list[DrawnFace]:
    """Returns `count` faces of different people."""
    faces = []
    for number in range(count):
        person = a_person(np.random.default_rng([seed, 1, number]))
        moment = a_moment(np.random.default_rng([seed, 2, number]), person)
        picture, points = draw(person, moment)
        visible = person.glasses != "dark" and moment.hidden_by == "nothing"
        faces.append(DrawnFace(picture[..., None], points[: len(FACE15)].astype(np.float64), moment, visible))
    return faces


def true_poses(faces: Sequence[DrawnFace]) -> Float64:
    """Returns the true yaw, pitch and roll, float64 (N, 3) in degrees."""
    return np.degrees([(face.moment.yaw, face.moment.pitch, face.moment.roll) for face in faces])


def measure(keypoints: Sequence[Float64], keypoint_set: KeypointSet) -> list[Measures]:
    """Returns the measures of each face, (K, 2)."""
    return [measures(points, keypoint_set) for points in keypoints]


def predict(predictor: Predictor, pictures: Sequence[UInt8]) -> list[Float64]:
    """Returns the keypoints, float64 (K, 2), of the one face in each picture."""
    keypoints = []
    for picture in pictures:
        (face,) = predictor.predict_at(picture, crop_of_whole(picture, predictor.spec)[None])
        keypoints.append(face.keypoints.astype(np.float64))
    return keypoints


def measured_poses(all_measures: Sequence[Measures]) -> Float64:
    """Returns yaw, pitch and roll, float64 (N, 3) in degrees; NaN if the keypoint set has none."""
    return np.array([one[:3] for one in all_measures], np.float64)


def right_signs(pose: Float64, truth: Float64) -> Float64:
    """Returns the share of right signs of A angles (N, A), each on the half of the faces where it is larger."""
    rotated = np.abs(truth) >= np.median(np.abs(truth), axis=0)
    right = np.sign(pose) == np.sign(truth)
    return np.asarray((right & rotated).sum(axis=0) / rotated.sum(axis=0))


def rotated(picture: UInt8, degrees: float) -> UInt8:
    """Returns a square picture (H, W, C) rotated clockwise about its middle."""
    side_px = picture.shape[0]
    return geometry.crop(picture, geometry.about_middle(side_px, degrees), side_px, side_px)


def roll_errors(predictor: Predictor, faces: Sequence[DrawnFace]) -> Float64:
    """Returns how far the change of roll is from the angle by which each picture was turned, degrees, (T, N)."""
    keypoint_set = predictor.spec.keypoint_set
    before = measured_poses(measure(predict(predictor, [face.picture for face in faces]), keypoint_set))[:, 2]
    errors = []
    for degrees in TURNS_DEGREES:
        pictures = [rotated(face.picture, degrees) for face in faces]
        after = measured_poses(measure(predict(predictor, pictures), keypoint_set))[:, 2]
        errors.append(np.abs(after - before - degrees))
    return np.array(errors)


def area_under_curve(values: Float64, positive: Bool) -> float:
    """Returns the probability that a positive has a lower value than a negative, ties half; NaN without either."""
    lower = values[positive][:, None] - values[~positive][None]
    return float(((lower < 0) + 0.5 * (lower == 0)).mean()) if lower.size else float("nan")


def row(name: str, all_measures: Sequence[Measures], faces: Sequence[DrawnFace], roll_error: str) -> tuple[str, ...]:
    """Returns a line of the table; `-` means that the keypoint set does not allow a measure."""
    pose, truth = measured_poses(all_measures), true_poses(faces)
    errors, signs = np.median(np.abs(pose - truth), axis=0), right_signs(pose, truth)
    open_eyes = np.array([np.nan if one.left_eye_openness is None else one.left_eye_openness for one in all_measures])
    scored = np.array([face.visible for face in faces]) & np.isfinite(open_eyes)
    closed = np.array([face.moment.lids == 0 for face in faces])
    area = area_under_curve(open_eyes[scored], closed[scored])
    cells = (f"{value:.1f}" for value in errors)
    shares = (f"{100 * share:.1f}" for share in signs[:2])
    return (name, *cells, *shares, roll_error, f"{area:.3f}" if np.isfinite(area) else "-")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = stage_parser("benchmarks.measures", __doc__)
    parser.add_argument("--count", type=int, default=400, metavar="N", help="faces (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=7, metavar="N", help="random seed of the faces (default: %(default)s)"
    )
    parser.add_argument("--model", action="append", help="shipped model, model folder or .onnx file; may be repeated")
    options = parser.parse_args(arguments)
    if not 1 <= options.count <= MAX_FACES:
        raise InputError(f"--count {options.count}: must be 1 to {MAX_FACES:,}")
    predictors = {name: Predictor(name) for name in options.model or MODELS}
    faces = draw_people(options.count, options.seed)
    rows = [row("true keypoints", measure([face.keypoints for face in faces], FACE15), faces, "-")]
    for name, predictor in predictors.items():
        points = predict(predictor, [face.picture for face in faces])
        roll_error = f"{np.median(roll_errors(predictor, faces)):.2f}"
        rows.append(row(name, measure(points, predictor.spec.keypoint_set), faces, roll_error))
    head = ("keypoints", "yaw, degrees", "pitch", "roll", "yaw's sign, %", "pitch's sign, %", "roll by a turn", "lids")
    print(f"{len(faces):,} drawn faces, {sum(face.moment.lids == 0 for face in faces)} of them with closed eyes")
    print(table(head, rows))


if __name__ == "__main__":
    run(main)
