"""Every kind of file that the project reads, damaged at random: each is still read or refused in one line.

Each file is damaged `--mutations` times (tests/conftest.py), always in the same ways.
"""

import contextlib
import csv
import json
import shutil
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

import pipeline
from common.code import code_hashes
from common.hashes import file_hash
from data_prep import arrays, crop, inputs, prepare
from data_prep.readers import npz
from data_prep.readers import training_csv as training_csv_reader
from data_prep.readers.pictures import APPLY
from data_prep.synthetic import dataset
from evaluation import compare, evaluate
from evaluation import inputs as evaluation_inputs
from evaluation.baselines import mean_face, mean_face_per_source
from evaluation.bootstrap import resampling_weights
from evaluation.inputs import listed_faces
from evaluation.predictions import read_predictions, write_predictions
from evaluation.tables import accuracy_table
from facial_keypoints import InputError, Predictor
from facial_keypoints.codec import Keypoints
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.pretrained import MANIFEST
from facial_keypoints.spec import to_json
from models.networks import load_build
from models.saved import load_model, predict
from tests.data_prep.pictures import imglab_text, save_five, save_picture, save_turned
from tests.facial_keypoints.small_models import means_of_channels, spec_of
from tests.models.folders import write_model_folder
from training import checkpoint
from training import inputs as training_inputs

SIDE = 24  # px of the small pictures here
FACES = 12
THROUGH_MAIN = 50  # one in this many damaged but readable files goes through the whole stage
TINY_NETWORK = """
import keras

def build(input_shape, keypoints):
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(2 * keypoints),
        keras.layers.Reshape((keypoints, 2)),
    ])
"""


@dataclass(frozen=True)
class Case:
    """One file to damage.

    Attributes:
        file: the file.
        read: reads it as the stages do.
        main: runs a stage that reads it; the argument is the folder to write.
        repair: updates the rest of its folder to match the damaged file.
    """

    file: Path
    read: Callable[[], object]
    main: Callable[[Path], None] | None = None
    repair: Callable[[], None] | None = None


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """Returns the bytes with some flipped, deleted, truncated, inserted, repeated or replaced by characters of JSON."""
    end = len(whole)
    # The start and the end of a file describe its format, so they are damaged more often.
    low, high = [(0, end), (0, min(end, 300)), (max(0, end - 300), end)][rng.integers(3)]
    at, size = int(rng.integers(low, high)), int(rng.choice([1, 2, 10, 100, end // 3]))
    positions = rng.integers(low, high, rng.choice([1, 1, 3, 30]))
    content = bytearray(whole)
    match rng.integers(6):
        case 0:
            for position in positions:
                content[position] ^= int(rng.integers(1, 256))
        case 1:
            del content[at:]
        case 2:
            del content[at : at + size]
        case 3:
            content[at:at] = rng.bytes(size)
        case 4:
            content[at:at] = content[at : at + size]
        case 5:
            for position in positions:
                content[position] = rng.choice(list(b'0123456789-+.eEnaN,;"{}[]()\n\r\t \0\xff'))
    return bytes(content)


def other_json(whole: bytes, rng: np.random.Generator) -> bytes:
    """Returns the JSON with one value replaced or removed."""
    values = json.loads(whole)

    def places(node: Any) -> Iterator[tuple[Any, Any]]:
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, key
            if isinstance(node[key], dict | list):
                yield from places(node[key])

    every = list(places(values))
    node, key = every[rng.integers(len(every))]
    others: list[Any] = [None, True, -1, 1e400, 10**30, "", "\n", "../x", [], [[]], {}, {"a": 1}]
    choice = int(rng.integers(len(others) + 1))
    if choice < len(others):
        node[key] = others[choice]
    else:
        del node[key]
    return json.dumps(values).encode()


def write_source(folder: Path) -> None:
    """Writes a small input folder with all three files that `npz.read` reads."""
    faces = dataset.read(FACES, seed=0)
    folder.mkdir()
    images = np.moveaxis(faces.images[:, ::4, ::4, 0], 0, -1)
    np.savez_compressed(folder / npz.IMAGES, face_images=images)
    with (folder / npz.KEYPOINTS).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(FACE15.columns)
        rows.writerows((faces.keypoints / 4).reshape(FACES, -1).round(2).tolist())
    (folder / npz.GROUPS).write_text(
        "row,person\n" + "".join(f"{i},person {i // 2}\n" for i in range(FACES)), encoding="utf-8"
    )


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an input, a data folder, predictions, their evaluation and a model; each test copies it to `in`."""
    folder = tmp_path_factory.mktemp("ready")
    write_source(folder / "source")
    prepare.main([str(folder / "source"), "--out", str(folder / "data"), "--seed", "1"])
    data = evaluation_inputs.load_data(folder / "data")
    predicted = Keypoints(mean_face(data.train, data.test))
    write_predictions(folder / "predictions.csv", predicted, data.test.rows, FACE15)
    score_predictions(folder, folder / "evaluations" / "theirs")
    (folder / "tiny.py").write_text(TINY_NETWORK, encoding="utf-8")
    write_model_folder(folder / "model", str(folder / "tiny.py"), shape=(SIDE, SIDE, 1))
    return folder


def prepare_from(source: Path, out: Path) -> None:
    prepare.main([str(source), "--out", str(out)])


def score_predictions(folder: Path, out: Path, *arguments: str) -> None:
    """Runs the evaluation of predictions."""
    given = ["--predictions", str(folder / "predictions.csv"), "--name", "theirs", "--data", str(folder / "data")]
    evaluate.main([*given, "--out", str(out), *arguments])


def source_case(folder: Path, name: str) -> Case:
    source = folder / "source"
    return Case(source / name, lambda: npz.read(source), lambda out: prepare_from(source, out))


def images_npz(folder: Path) -> Case:
    return source_case(folder, npz.IMAGES)


def keypoints_csv(folder: Path) -> Case:
    return source_case(folder, npz.KEYPOINTS)


def groups_csv(folder: Path) -> Case:
    return source_case(folder, npz.GROUPS)


def training_csv(folder: Path) -> Case:
    faces = npz.read(folder / "source")
    lines = [",".join([*FACE15.columns, "Image"])]
    for image, keypoints in zip(faces.images, faces.keypoints, strict=True):
        numbers = ["" if np.isnan(value) else f"{value:.3f}" for value in keypoints.ravel()]
        lines.append(",".join([*numbers, " ".join(map(str, image.ravel()))]))
    path = folder / "training.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Case(path, lambda: training_csv_reader.read(path), lambda out: prepare_from(path, out))


def training_zip(folder: Path) -> Case:
    path = folder / "training.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(training_csv(folder).file, "training.csv")
    return Case(path, lambda: training_csv_reader.read(path), lambda out: prepare_from(path, out))


def use_data(folder: Path) -> None:
    """Reads a data folder as training and evaluation do, and uses what is read."""
    learned = training_inputs.load_data(folder, None, "by_source")
    json.dumps(to_json(learned.spec(False)))
    data = evaluation_inputs.load_data(folder)
    predicted = mean_face_per_source(data.train, data.test)
    accuracy_table(predicted, data.test, data.keypoint_set, resampling_weights(data.test.groups, resamples=10))


def rehash(file: Path) -> None:
    """Writes the hash of a file into the manifest beside it."""
    manifest = json.loads((file.parent / MANIFEST).read_bytes())
    manifest["files"][file.name] = file_hash(file)
    (file.parent / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def data_manifest(folder: Path) -> Case:
    data = folder / "data"
    step = pipeline.Step(data, arrays.PREPARE, ["data_prep.prepare"])

    def read() -> None:
        use_data(data)
        pipeline.reason_to_run(step)

    return Case(data / MANIFEST, read, lambda out: score_predictions(folder, out))


def array_case(folder: Path, name: str, fits: bool) -> Case:
    """An array of a data folder; with `fits` the manifest gets the hash of the damaged file."""
    file = folder / "data" / f"{name}.npy"
    repair = (lambda: rehash(file)) if fits else None
    return Case(file, lambda: use_data(file.parent), lambda out: score_predictions(folder, out), repair)


def use_model(path: Path) -> None:
    predict(load_model(path), np.zeros((2, SIDE, SIDE, 1), np.uint8), FACE15)


def model_manifest(folder: Path) -> Case:
    given = [str(folder / "model"), "--data", str(folder / "data")]
    main = lambda out: evaluate.main([*given, "--out", str(out)])  # noqa: E731
    return Case(folder / "model" / MANIFEST, lambda: use_model(folder / "model"), main)


def model_keras(folder: Path) -> Case:
    return Case(folder / "model" / "model.keras", lambda: use_model(folder / "model"))


def model_keras_that_fits(folder: Path) -> Case:
    file = folder / "model" / "model.keras"
    return Case(file, lambda: use_model(folder / "model"), repair=lambda: rehash(file))


def bare_keras(folder: Path) -> Case:
    bare = folder / "theirs.keras"
    shutil.copy(folder / "model" / "model.keras", bare)
    return Case(bare, lambda: use_model(bare))


def user_network(folder: Path) -> Case:
    def read() -> None:
        load_build(str(folder / "tiny.py"))
        code_hashes("common.code", [folder / "tiny.py"])

    return Case(folder / "tiny.py", read)


def onnx_file(folder: Path) -> Case:
    path = means_of_channels(folder / "small.onnx", 1, spec_of(1))
    return Case(path, lambda: Predictor(path, threads=1).predict_crops(np.zeros((2, 4, 5, 1), np.uint8)))


def onnx_manifest(folder: Path) -> Case:
    model = folder / "model"
    means_of_channels(model / "model.onnx", 1, spec_of(1))
    rehash(model / "model.onnx")
    return Case(model / MANIFEST, lambda: Predictor(model, threads=1))


def state_of_a_run(folder: Path) -> Case:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    history = [{"epoch": 1, "loss": 2.0, "mae": 1.0, "val_loss": 2.0, "val_mae": 1.0}]
    early_stopping = {"best": 1.0, "wait": 0, "best_epoch": 0}
    settings = {"epochs": 8, "seed": 0}
    state = checkpoint.State(settings, {}, history, 1.5, early_stopping, model.get_weights())
    path = folder / "model.unfinished" / checkpoint.STATE_FILE
    checkpoint.save(path, model, state)

    def read() -> None:
        checkpoint.epochs_done(path)
        restored = checkpoint.restore(path, model, settings, {})
        assert restored is not None
        model.set_weights(restored.best_weights)
        assert restored.early_stopping.keys() == early_stopping.keys()
        assert [epoch.keys() for epoch in restored.history] == [epoch.keys() for epoch in history]

    return Case(path, read)


def rows_csv(folder: Path) -> Case:
    rows = arrays.load_split(folder / "data", "test").rows
    path = folder / "rows.csv"
    path.write_text("row,note\n" + "".join(f'{row},"a, b"\n' for row in rows), encoding="utf-8")
    main = lambda out: score_predictions(folder, out, "--rows", str(path))  # noqa: E731
    return Case(path, lambda: listed_faces(path, rows), main)


def predictions_csv(folder: Path) -> Case:
    path, rows = folder / "predictions.csv", arrays.load_split(folder / "data", "test").rows
    return Case(path, lambda: read_predictions(path, rows, FACE15), lambda out: score_predictions(folder, out))


def evaluation_case(folder: Path, name: str, fits: bool) -> Case:
    """A file of an evaluation that `compare` reads."""
    evaluations, data = folder / "evaluations", folder / "data"
    whole = evaluation_inputs.load_data(data)
    main = lambda out: compare.main(["--evaluations", str(evaluations), "--data", str(data), "--out", str(out)])  # noqa: E731
    file = evaluations / "theirs" / name
    repair = (lambda: rehash(file)) if fits else None
    return Case(file, lambda: compare.read_evaluations(evaluations, whole), main, repair)


def evaluation_manifest(folder: Path) -> Case:
    return evaluation_case(folder, MANIFEST, fits=False)


def evaluation_predictions(folder: Path) -> Case:
    return evaluation_case(folder, "predictions.csv", fits=True)


def frames_csv(folder: Path) -> Case:
    frames, rng = folder / "frames", np.random.default_rng(0)
    (frames / "training").mkdir(parents=True)
    lines = ["," + ",".join(map(str, range(136)))]
    for number in range(3):
        name = f"Some_Body_{number}.jpg"
        cv2.imwrite(str(frames / "training" / name), rng.integers(0, 256, (30, 30), np.uint8))
        lines.append(name + "," + ",".join(f"{value:.1f}" for value in rng.uniform(5, 25, 136)))
    path = frames / "training_frames_keypoints.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Case(path, lambda: crop_all(frames))


def five_csv(folder: Path) -> Case:
    save_five(folder / "five", {f"{number}.png": f"person {number}" for number in range(3)})
    return Case(folder / "five" / "keypoints.csv", lambda: crop_all(folder / "five"))


def five_csv_of_a_spreadsheet(folder: Path) -> Case:
    """Semicolons, decimal commas, a name in Windows-1252 and an index column."""
    path = five_csv(folder).file
    header, *lines = path.read_text(encoding="utf-8").replace("person 1", "Zoë").replace(",65,", ",65.5,").splitlines()
    text = "\n".join([f",{header}", *(f"{row},{line}" for row, line in enumerate(lines))])
    path.write_bytes(text.replace(",", ";").replace("65.5", "65,5").encode("cp1252"))
    return Case(path, lambda: crop_all(folder / "five"))


def five_csv_in_utf_16(folder: Path) -> Case:
    path = five_csv(folder).file
    path.write_bytes(path.read_text(encoding="utf-8").replace(",", "\t").encode("utf-16"))
    return Case(path, lambda: crop_all(folder / "five"))


def imglab(folder: Path) -> Case:
    save_picture(folder / "faces" / "a.png")
    path = folder / "faces" / "faces.xml"
    path.write_text(imglab_text(["a.png"]), encoding="utf-8")
    return Case(path, lambda: crop_all(path))


def picture_case(folder: Path, name: str, picture: str) -> Case:
    """The `.pts` file, or the picture beside it."""
    pictures, rng = folder / "pictures", np.random.default_rng(0)
    pictures.mkdir()
    cv2.imwrite(str(pictures / picture), rng.integers(0, 256, (60, 60, 3), np.uint8))
    points = rng.uniform(5, 55, (68, 2))
    points[36:42, 0], points[42:48, 0] = 20, 40  # the person's own right and left eye
    points[36:48, 1], points[30] = 20, (30, 40)
    text = "".join(f"{x:.2f} {y:.2f}\n" for x, y in points)
    (pictures / "face_1.pts").write_text(f"version: 1\nn_points: 68\n{{\n{text}}}\n", encoding="utf-8")
    return Case(pictures / name, lambda: crop_all(pictures))


def crop_all(source: Path) -> None:
    """Reads and crops labelled pictures, first with `--skip-bad`, which may refuse them, then without."""
    crop_options = crop.CropOptions(size_px=SIDE, exif=APPLY)
    with contextlib.suppress(InputError):
        inputs.read([str(source)], None, 0, crop_options, skip_bad=True)
    inputs.read([str(source)], None, 0, crop_options)


def turned(folder: Path, name: str) -> Case:
    """A picture with an EXIF orientation."""
    case = picture_case(folder, name, name)
    with Image.open(case.file) as picture:
        save_turned(case.file, np.asarray(picture.convert("RGB")), orientation=6)
    return case


def turned_jpeg(folder: Path) -> Case:
    return turned(folder, "face_1.jpg")


def turned_png(folder: Path) -> Case:
    return turned(folder, "face_1.png")


def pts(folder: Path) -> Case:
    return picture_case(folder, "face_1.pts", "face_1.png")


def jpeg(folder: Path) -> Case:
    return picture_case(folder, "face_1.jpg", "face_1.jpg")


def png(folder: Path) -> Case:
    return picture_case(folder, "face_1.png", "face_1.png")


MAKERS: dict[str, Callable[[Path], Case]] = {
    make.__name__: make
    for make in (
        images_npz,
        keypoints_csv,
        groups_csv,
        training_csv,
        training_zip,
        data_manifest,
        model_manifest,
        model_keras,
        model_keras_that_fits,
        bare_keras,
        user_network,
        onnx_file,
        onnx_manifest,
        state_of_a_run,
        rows_csv,
        predictions_csv,
        evaluation_manifest,
        evaluation_predictions,
        frames_csv,
        five_csv,
        five_csv_of_a_spreadsheet,
        five_csv_in_utf_16,
        imglab,
        pts,
        jpeg,
        png,
        turned_jpeg,
        turned_png,
    )
}
MAKERS["altered_array"] = partial(array_case, name="test_images", fits=False)
MAKERS |= {f"{name}_that_fits": partial(array_case, name=f"train_{name}", fits=True) for name in arrays.ARRAYS}
MAKERS |= {
    f"test_{name}_that_fits": partial(array_case, name=f"test_{name}", fits=True)
    for name in ("keypoints", "label_sources")
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.filterwarnings("ignore")  # damaged values overflow
def test_damaged_files_are_read_or_refused_in_one_line(name: str, ready: Path, tmp_path: Path, mutations: int) -> None:
    shutil.copytree(ready, tmp_path / "in")
    case = MAKERS[name](tmp_path / "in")
    whole, out = case.file.read_bytes(), tmp_path / "out"
    case.read()
    accepted, failures = 0, []
    for number in range(mutations):
        rng = np.random.default_rng((zlib.crc32(name.encode()), number))
        is_json = case.file.suffix == ".json" and number % 2
        case.file.write_bytes(b"" if number == 0 else (other_json if is_json else damaged)(whole, rng))
        if case.repair:
            case.repair()
        try:
            message = outcome(case, case.read)
            accepted += not message
            if case.main and (message or accepted % THROUGH_MAIN == 0):
                stage_message = outcome(case, partial(case.main, out))
                assert stage_message or not message, f"the stage accepts what its reader refuses: {message}"
                assert sorted(path.name for path in tmp_path.iterdir()) == ["in"] + ([] if stage_message else ["out"])
        except AssertionError as error:
            failures.append(f"damage {number}: {error}")
        shutil.rmtree(out, ignore_errors=True)
    assert not failures, "\n".join(failures)


def outcome(case: Case, call: Callable[[], object]) -> str:
    """Returns the message with which a damaged file is refused, or an empty string if it is read.

    Raises:
        AssertionError: another kind of error, or a message that is not one line with the file's name.
    """
    try:
        call()
    except InputError as error:
        message = str(error)
        if "\n" in message or (str(case.file) not in message and str(case.file.parent) not in message):
            raise AssertionError(f"not one line with the file's name: {message!r}") from error
        return message
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)
        ours = next((frame for frame in reversed(at) if ".venv" not in frame.filename), at[-1])
        raise AssertionError(f"{Path(ours.filename).name}:{ours.lineno}: {type(error).__name__}: {error}") from error
    return ""
