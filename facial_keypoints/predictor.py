"""Predicts keypoints with a network in an ONNX file. N crops, F faces in a picture, K keypoints, M landmarks."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facial_keypoints import crops as cropping
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32, Float64, Int64, UInt8
from facial_keypoints.boxes import Detector, given_boxes
from facial_keypoints.codec import WITH_ERROR, Keypoints, decode
from facial_keypoints.detectors.haar import Haar, second_look
from facial_keypoints.errors import InputError, one_line
from facial_keypoints.face import MAX_FIRST_UNCERTAINTY, MAX_UNCERTAINTY, Face, each_once, uncertainty
from facial_keypoints.pretrained import INT8_FILE, KERAS_FILE, MANIFEST, ONNX_FILE, find, shipped
from facial_keypoints.runtime import onnxruntime
from facial_keypoints.spec import CHANNELS, METADATA_KEY, ModelSpec, from_json

BATCH = 64
PASSES = 3  # at most, each from a crop that the last one's keypoints gave
STILL_PX = 3.0  # of a crop; one whose corners move less has stopped
TYPICAL_UNCERTAINTY = 0.01  # of a network that comes without a manifest: about that of the shipped ones
SILENT = 4  # onnxruntime's level of notes: its errors are raised as well
EXPORT_AGAIN = "export it again with `python -m training.export MODEL_DIR`"


class Predictor:
    """A trained network that predicts. It may be called from several threads at once.

    A copy, or one that is pickled, as for a pool of processes, loads the network again: a shipped one by its name, any
    other from the same file, which must not have changed.

    Attributes:
        spec: what the network takes and predicts.
        path: the ONNX file.
        usual_doubt: the mean error, in widths of the face's box, that the network made, and so expects, on the faces
            it was validated on; as the manifest beside its file says, or USUAL_DOUBT.
    """

    spec: ModelSpec
    path: Path
    typical_uncertainty: float

    def __init__(self, model: str | Path = "v2", *, int8: bool = False, threads: int | None = None) -> None:
        """Loads a network.

        Args:
            model: the name of a shipped model, a model folder with `model.onnx`, or an `.onnx` file.
            int8: takes `model_int8.onnx` of the model folder: faster and smaller, and hardly less exact.
            threads: at most so many for one picture or batch; None: one for each core.

        Raises:
            InputError: there is no such model, it is damaged, or its ONNX file does not say what it predicts.
        """
        if threads is not None and threads < 1:
            raise InputError(f"threads: is {threads}, expected at least 1")
        found = find(model)
        if int8 and not found.is_dir():
            raise InputError(f"{model}: is a file; int8 chooses one of a model folder, leave it out")
        self.path = found / (INT8_FILE if int8 else ONNX_FILE) if found.is_dir() else found
        content, digest = _content(self.path, checked=found.is_dir())
        self._session = _session(self.path, content, threads or 0)
        by_name = isinstance(model, str) and model in shipped()
        self._loaded_by = (model, int8, threads, "") if by_name else (found.absolute(), int8, threads, digest)
        self.spec = _spec(self._session, self.path)
        self._gives = len(self.spec.output_points), WITH_ERROR if self.spec.expected_error else 2
        self._box_px = cropping.box_of(np.eye(2, 3), self.spec)[2]  # of the mean face, in its crop
        self.typical_uncertainty = _typical_uncertainty(self.path, self._box_px)
        self._haar = Haar()
        self._second_look = second_look(self._haar)
        self._input = _input_name(self._session, self.spec, self.path)
        self._run(np.zeros((1, *self.spec.crop.shape), np.uint8))  # whether it does what it says is seen here

    def __reduce__(self) -> tuple[Callable[..., "Predictor"], tuple[str | Path, bool, int | None, str]]:
        """Returns how `pickle` and `copy` make it again."""
        return _load_again, self._loaded_by

    def predict_crops(self, images: UInt8, label_source: str | None = None) -> Keypoints:
        """Returns the keypoints of faces that are already cut: float32 (N, K, 2), and the errors to expect (N, K).

        Coordinates are px of the crop, 0 at the center of its first pixel. Where the network says no errors, they are
        None.

        Args:
            images: uint8 (N, H, W, C) of the network's height and width, any N; C is 1 (gray) or 3 (RGB, in this order)
                and need not be the network's.
            source: the name of the label source whose places are meant; None: the keypoint set's own.

        Raises:
            InputError: other images, or a label source that the network does not tell apart.
        """
        images = self._checked(images)
        label_sources = self._label_sources(len(images), label_source)
        return decode(self._outputs(images), label_sources, self.spec.output_points)

    def predict(
        self,
        picture: UInt8,
        *,
        detector: Detector | None = None,
        boxes: npt.ArrayLike | None = None,
        label_source: str | None = None,
    ) -> list[Face]:
        """Returns the faces of a picture with their keypoints, the surest first.

        What the detector found is dropped where the network expects errors that no face gives, or where it led to the
        keypoints of a face that is already there; so nothing is dropped as false where the network says no errors.

        Args:
            picture: uint8 (H, W, 3) RGB, (H, W, 1) or (H, W) gray; `pictures.read_picture` reads one.
            detector: finds faces (`detectors/`); None: OpenCV's Haar cascade, and where that leads to no face the
                cascade on copies turned by 25 degrees, and the one for faces from the side.
            boxes: float (F, 4), boxes around faces (x, y, width, height) in px, instead of a detector's. The faces are
                in their order, and none is dropped.
            source: as in `predict_crops`.

        Raises:
            InputError: no such picture, or a box without size.
        """
        picture = _checked_picture(picture)
        if boxes is not None:
            crops = cropping.crop_of_boxes(given_boxes(boxes), self.spec)
            return self.predict_at(picture, crops, label_source=label_source)
        for search in (detector,) if detector else (self._haar, self._second_look):
            if faces := self._found(picture, search, label_source):
                return faces
        return []

    def _found(self, picture: UInt8, detector: Detector, label_source: str | None) -> list[Face]:
        """Returns the faces that a detector leads to, the surest first: as the network says, else as the detector."""
        found = detector(picture)
        crops = cropping.crop_of_boxes(found, self.spec)
        crops, output = self._settled(
            picture, crops, PASSES, max_uncertainty=MAX_FIRST_UNCERTAINTY * self.typical_uncertainty
        )
        real = self._uncertainties(output) < MAX_UNCERTAINTY * self.typical_uncertainty
        faces = self._faces(crops[real], output[real], found.scores[real], label_source)
        return each_once(sorted(faces, key=lambda face: (uncertainty(face), -face.score)))

    def predict_at(
        self, picture: UInt8, crops: Float64, *, passes: int = PASSES, label_source: str | None = None
    ) -> list[Face]:
        """Returns a face for each crop, in their order.

        The keypoints of each pass say where the next one cuts, level and of the size that the network knows best,
        until the crop stops moving.

        Args:
            picture: as in `predict`.
            crops: float64 (F, 2, 3), picture to crop; `crops.crop_of` gives that of known keypoints.
            passes: at most so many, at least 1.
            source: as in `predict_crops`.
        """
        crops, output = self._settled(_checked_picture(picture), crops, passes)
        return self._faces(crops, output, np.ones(len(crops)), label_source)

    def _settled(
        self, picture: UInt8, crops: Float64, passes: int, max_uncertainty: float = np.inf
    ) -> tuple[Float64, Float32]:
        """Returns the crops (F, 2, 3) where they stopped, and what the network gives there, (F, M, 2 or 3).

        A crop of more doubt than `hopeless` stops at once.
        """
        crops = np.array(crops, np.float64)
        output = np.zeros((len(crops), *self._gives), np.float32)
        going = np.arange(len(crops))
        for left in range(passes - 1, -1, -1):
            output[going] = self._outputs(cropping.cut(picture, crops[going], self.spec))
            if not left:
                break
            going = going[self._uncertainties(output[going]) < max_uncertainty]
            placed = geometry.transform(
                output[going, : len(self.spec.keypoint_set), :2], geometry.inverse(crops[going])
            )
            better = cropping.crop_of(placed, self.spec)
            moved = cropping.moved_px(crops[going], better, self.spec) > STILL_PX
            going = going[moved]
            crops[going] = better[moved]
        return crops, output

    def _faces(self, crops: Float64, output: Float32, scores: Float64, label_source: str | None) -> list[Face]:
        """Returns the faces that the network sees in crops (F, 2, 3), in px of the picture."""
        coordinates, errors = decode(output, self._label_sources(len(output), label_source), self.spec.output_points)
        back = geometry.inverse(crops)
        keypoints = geometry.transform(coordinates, back).astype(np.float32)
        scales = np.sqrt(np.abs(np.linalg.det(back[:, :, :2]))).astype(np.float32)
        placed = [None] * len(crops) if errors is None else errors * scales[:, None]
        boxes = [cropping.box_of(crop, self.spec) for crop in crops]
        return [Face(*face) for face in zip(boxes, keypoints, placed, crops, scores.tolist(), strict=True)]

    def _outputs(self, images: UInt8) -> Float32:
        """Returns what the network gives for images in batches, float32 (N, M, 2 or 3)."""
        batches = [self._run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return np.concatenate([np.zeros((0, *self._gives), np.float32), *batches])

    def _uncertainties(self, output: Float32) -> Float32:
        """Returns the `doubt` of each face, float32 (F,), of what the network gives."""
        if not self.spec.expected_error:
            return np.zeros(len(output), np.float32)
        of_keypoints = output[:, : len(self.spec.keypoint_set), 2]
        return np.asarray(of_keypoints.mean(axis=1) / self._box_px, np.float32)

    def _checked(self, images: UInt8) -> UInt8:
        """Returns the images after a check of their type and size."""
        height, width, channels = self.spec.crop.shape
        dtype, shape = getattr(images, "dtype", type(images).__name__), np.shape(images)
        if dtype != np.uint8:
            raise InputError(f"images: are {dtype}, expected a numpy array of uint8 (0 black to 255 white)")
        if len(shape) != 4 or shape[3] not in CHANNELS:
            raise InputError(f"images: have shape {shape}, expected (N, {height}, {width}, {channels}), C being 1 or 3")
        if shape[1:3] != (height, width):
            size = f"{shape[1]} x {shape[2]} px"
            raise InputError(f"images: are {size}, {self.path} takes {height} x {width} px; cut or resize them")
        return images

    def _label_sources(self, count: int, name: str | None) -> Int64:
        """Returns the number of a label source, int64 (N,), once for each of N faces."""
        label_sources = self.spec.keypoint_set.label_sources
        known = {label_sources[number].name: number for number in (0, *self.spec.label_sources)}
        if name is not None and name not in known:
            raise InputError(f"{name}: {self.path} knows no such label source; give one of {', '.join(known)}")
        return np.full(count, known[name] if name else 0, np.int64)

    def _run(self, images: UInt8) -> Float32:
        """Returns what the network gives for a batch, float32 (N, M, 2 or 3)."""
        images = cropping.with_channels(images, self.spec.crop.channels)
        gives = (len(images), *self._gives)
        try:
            output = np.asarray(self._session.run(None, {self._input: images.astype(np.float32)})[0], np.float32)
        except Exception as error:  # the runtime has an error class for each of its states, and none above them
            raise InputError(f"{self.path}: fails on a picture ({one_line(error)}); {EXPORT_AGAIN}") from None
        if output.shape != gives:
            raise InputError(f"{self.path}: gives {output.shape}, but says that it gives {gives}; {EXPORT_AGAIN}")
        if not np.isfinite(output).all():
            raise InputError(f"{self.path}: gives values that are no numbers; {EXPORT_AGAIN}")
        return output


def _load_again(model: str | Path, int8: bool, threads: int | None, digest: str) -> Predictor:
    """Returns the predictor that was pickled.

    Args:
        digest: SHA-256 of its file; "" for a shipped one, which is that of this version of the library.

    Raises:
        InputError: the file is gone, or another one.
    """
    predictor = Predictor(model, int8=int8, threads=threads)
    if predictor._loaded_by[-1] != digest:
        raise InputError(f"{predictor.path}: has changed since this predictor loaded it; make a new Predictor")
    return predictor


def _content(path: Path, checked: bool) -> tuple[bytes, str]:
    """Returns an ONNX file's bytes and their SHA-256; `checked`: after a check against its model folder's manifest."""
    folder = path.parent
    if not path.is_file():
        also = " --int8 DATA" if path.name == INT8_FILE else ""
        raise InputError(f"{path}: no such file; write it with `python -m training.export {folder}{also}`")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if checked:
        try:
            files = json.loads((folder / MANIFEST).read_bytes())["files"]
            expected, trained = files[path.name], files.get(KERAS_FILE)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise InputError(f"{folder / MANIFEST}: does not name {path.name}; {EXPORT_AGAIN}") from None
        if digest != expected:
            raise InputError(f"{path}: is cut off or altered; {EXPORT_AGAIN}")
        network = folder / KERAS_FILE
        if trained and network.is_file() and hashlib.sha256(network.read_bytes()).hexdigest() != trained:
            says = f"{network}: was altered after {path.name} was exported"
            raise InputError(f"{says}; put it back, or train the network again and {EXPORT_AGAIN}")
    return content, digest


def _typical_uncertainty(path: Path, box_px: float) -> float:
    """Returns what `Predictor.usual_doubt` is of an ONNX file; the face's box is so wide in its crops."""
    try:
        error_px = float(json.loads(path.with_name(MANIFEST).read_bytes())["metrics"]["val_mae_px"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return TYPICAL_UNCERTAINTY
    return error_px / box_px if 0 < error_px < np.inf else TYPICAL_UNCERTAINTY


def _session(path: Path, content: bytes, threads: int) -> Any:
    """Returns the runtime's session of an ONNX file; 0 threads: one for each core."""
    module = onnxruntime()
    options = module.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = SILENT
    try:
        return module.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"{path}: is no whole ONNX file ({one_line(error)}); {EXPORT_AGAIN}") from None


def _spec(session: Any, path: Path) -> ModelSpec:
    """Returns the spec in the metadata of an ONNX file."""
    try:
        values = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    except (KeyError, ValueError, RecursionError):
        raise InputError(f"{path}: does not say what the network predicts; {EXPORT_AGAIN}") from None
    return from_json(values, str(path))


def _input_name(session: Any, spec: ModelSpec, path: Path) -> str:
    """Returns the name of a network's one input, after a check of its shape."""
    inputs = session.get_inputs()
    sides = inputs[0].shape[1:] if len(inputs) == 1 else []
    if tuple(sides) != spec.crop.shape:
        raise InputError(f"{path}: says that it takes {spec.crop.shape}, and takes {tuple(sides)}; {EXPORT_AGAIN}")
    return str(inputs[0].name)


def _checked_picture(picture: UInt8) -> UInt8:
    """Returns a picture with its axis of channels, after a check of its type and shape."""
    dtype, shape = getattr(picture, "dtype", type(picture).__name__), np.shape(picture)
    if dtype != np.uint8:
        raise InputError(f"picture: is {dtype}, expected a numpy array of uint8 (0 black to 255 white)")
    if len(shape) == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in CHANNELS or not picture.size:
        raise InputError(f"picture: has shape {shape}, expected (H, W) or (H, W, 1) gray or (H, W, 3) RGB")
    return picture
