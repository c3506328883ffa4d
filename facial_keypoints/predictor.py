"""Predicts keypoints with a network in an ONNX file. N crops, F faces, K keypoints, M output points."""

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from facial_keypoints import crops as cropping
from facial_keypoints import geometry
from facial_keypoints.array_types import Float32, Float64, Int64, UInt8
from facial_keypoints.boxes import Detector, given_boxes, sure
from facial_keypoints.codec import WITH_ERROR, Keypoints, decode, mean_output
from facial_keypoints.detectors.finder import FaceFinder
from facial_keypoints.errors import InputError, one_line
from facial_keypoints.face import (
    MAX_FIRST_UNCERTAINTY,
    MAX_FIRST_UNCERTAINTY_IF_EXACT,
    MAX_UNCERTAINTY,
    Face,
    uncertainty,
    without_duplicates,
)
from facial_keypoints.model_file import export_again, load_session, read_content
from facial_keypoints.pictures import Picture, as_rgb
from facial_keypoints.pretrained import INT8_FILE, MANIFEST, ONNX_FILE, find, shipped
from facial_keypoints.runtime import CPU, Provider
from facial_keypoints.spec import CHANNELS, METADATA_KEY, ModelSpec, from_json
from facial_keypoints.views import max_views, outputs_of_views, views

BATCH = 64
PASSES = 3  # at most; each crops again by the keypoints of the previous pass
STILL_PX = 3.0  # in the crop; a crop whose corners move less is final
STILL_IF_EXACT_PX = 8.0  # the same for crops from exact boxes, where another pass gains less than 1 %
TYPICAL_UNCERTAINTY = 0.01  # of a network without a manifest: about that of the shipped networks
EXPORT = "training.export"  # the stage that writes the file
EXPORT_AGAIN = export_again(EXPORT)


class Predictor:
    """A trained network that finds faces and predicts their keypoints. Several threads may use it at once.

    A pickle or copy stores where it was loaded from, not its weights: the name of a shipped model, or the path and
    SHA-256 of another file, which must not change.

    Attributes:
        spec: what the network takes and predicts.
        path: the ONNX file.
        typical_uncertainty: the network's mean error on its validation faces, in widths of the face's box, from the
            manifest beside the ONNX file; TYPICAL_UNCERTAINTY without a manifest.

    Example:
        >>> from facial_keypoints import Predictor
        >>> predictor = Predictor("v2")
        >>> len(predictor.keypoint_names)
        15
        >>> for face in predictor.predict("photo.jpg"):
        ...     x, y = face["nose_tip"]
        ...     print(f"{x:.0f}, {y:.0f}")
        380, 162
        140, 165
    """

    spec: ModelSpec
    path: Path
    typical_uncertainty: float

    def __init__(
        self,
        model: str | Path = "v2",
        *,
        int8: bool = False,
        threads: int | None = None,
        providers: Sequence[Provider] = (CPU,),
        views: int = 1,
    ) -> None:
        """Loads a network.

        Args:
            model: the name of a shipped model (`v2`: 15 keypoints, `v2-68`: 68), a model folder with `model.onnx`, or
                an `.onnx` file.
            int8: load `model_int8.onnx` of the model folder, which is smaller, faster and nearly as accurate.
            threads: the number of threads for one picture or batch; None uses one per core.
            providers: onnxruntime's execution providers in order of preference, for instance
                ["CUDAExecutionProvider"], which needs the package `onnxruntime-gpu` in place of `onnxruntime`. Each
                must start; there is no silent fallback to the CPU.
            views: the number of views in which to predict each face; the result is their mean. Views 1 to 5 are
                rotated, scaled and shifted; views 6 to 10, with mirror pairs, are mirrored too. Five lower the error of
                the shipped models by 2 to 4 % and take about five times as long. Mirrored views help only if the
                training labels have no horizontal offset; they are not used for label sources with a known one.

        Raises:
            InputError: there is no such model, its file is damaged, the file does not say what it predicts, a provider
                is not installed or does not start, or `views` is out of range.
        """
        if threads is not None and threads < 1:
            raise InputError(f"threads: is {threads}, expected at least 1")
        path = find(model)
        if int8 and not path.is_dir():
            raise InputError(f"{model}: is a file; int8 chooses one of a model folder, so leave int8 out")
        self.path = path / (INT8_FILE if int8 else ONNX_FILE) if path.is_dir() else path
        content, digest = read_content(self.path, EXPORT, checked=path.is_dir())
        self._session = load_session(self.path, content, EXPORT, threads or 0, providers)
        is_shipped = isinstance(model, str) and model in shipped()
        source: tuple[str | Path, str] = (model, "") if is_shipped else (path.absolute(), digest)
        self._load_arguments = (
            *source,
            {"int8": int8, "threads": threads, "providers": tuple(providers), "views": views},
        )
        self.spec = _spec(self._session, self.path)
        self._output_shape = len(self.spec.output_points), WITH_ERROR if self.spec.expected_error else 2
        self._mirrors = self.spec.output_points.mirror is not None
        self._views = self._checked_views(views)
        self._box_px = cropping.box_of(np.eye(2, 3), self.spec)[2]  # width of the mean face's box, in its crop
        self.typical_uncertainty = _typical_uncertainty(self.path, self._box_px)
        self._threads = threads
        self._input = _input_name(self._session, self.spec, self.path)
        self._run(np.zeros((1, *self.spec.crop.shape), np.uint8))  # fails here if the file contradicts its metadata

    def __reduce__(self) -> tuple[Callable[..., "Predictor"], tuple[str | Path, str, dict[str, Any]]]:
        """Returns how `pickle` and `copy` create it again."""
        return _load_again, self._load_arguments

    @property
    def keypoint_names(self) -> tuple[str, ...]:
        """The names of the K keypoints, in the order of `Face.keypoints`. Left and right are the person's own."""
        return self.spec.keypoint_set.names

    def check_eyes(self, fix: str) -> None:
        """Raises InputError if the keypoint set has no eyes, which face detection needs; `fix`: what to do."""
        if self.spec.keypoint_set.eyes is None:
            predicts = f"{self.path}: predicts the keypoint set {self.spec.keypoint_set.name}"
            raise InputError(f"{predicts}, which has no eyes to find faces by; {fix}")

    def predict(
        self,
        picture: Picture,
        *,
        detector: Detector | None = None,
        boxes: npt.ArrayLike | None = None,
        label_source: str | None = None,
    ) -> list[Face]:
        """Finds the faces in a picture and returns them with their keypoints, the most certain first.

        A detection is dropped if the network expects larger errors than on any real face, or if its keypoints coincide
        with those of another face. A network without expected errors cannot drop false detections; it uses only
        boxes that the detector is sure of.

        Args:
            picture: a path, a numpy array of uint8, (H, W, 3) RGB or (H, W) or (H, W, 1) gray, or a PIL image.
            detector: finds the faces, for instance `YuNet()`; `FaceFinder()` by default.
            boxes: float (F, 4), x, y, width and height of each face in px, in place of a detector. Returns one face per
                box, in order. Required if the keypoint set has no eyes, which face detection needs: for a hand, a cat
                or a mouth.
            label_source: as in `predict_crops`.

        Raises:
            InputError: the picture cannot be read or has another type or shape, a box has no size, or there are no
                boxes although the keypoint set has no eyes.

        Example:
            >>> from facial_keypoints import Predictor
            >>> predictor = Predictor("v2")
            >>> first, second = predictor.predict("photo.jpg")
            >>> first.keypoints.shape
            (15, 2)
            >>> (same,) = predictor.predict("photo.jpg", boxes=[second.box])
            >>> bool(abs(same.keypoints - second.keypoints).max() < 3)  # px
            True
        """
        if boxes is None:
            self.check_eyes("give the boxes of what it predicts: predict(picture, boxes=[(x, y, width, height)])")
        pixels = as_rgb(picture)
        if boxes is not None:
            return self.predict_at(
                pixels, cropping.crop_of_boxes(given_boxes(boxes), self.spec), label_source=label_source
            )
        return self._detect_faces(pixels, detector or self._face_finder, label_source)

    def predict_crops(self, images: UInt8, label_source: str | None = None) -> Keypoints:
        """Returns the keypoints of cropped faces, (N, K, 2), and their expected errors, (N, K).

        Coordinates are px of the crop, 0 at the center of its first pixel. The expected errors are None if the network
        does not predict them.

        Args:
            images: uint8 (N, H, W, C) of the network's height and width; C is 1 (gray) or 3 (RGB).
            label_source: the name of the label source whose definitions of the keypoints to use; None: those of the
                keypoint set.

        Raises:
            InputError: the images have another type or shape, or the network does not know the label source.

        Example:
            >>> import numpy as np
            >>> from facial_keypoints import Predictor
            >>> images = np.zeros((8, 96, 96, 1), np.uint8)  # for instance the test split of a data folder
            >>> coordinates, expected_error = Predictor("v2").predict_crops(images)
            >>> coordinates.shape
            (8, 15, 2)
        """
        images = self._checked_images(images)
        label_sources = self._label_sources(len(images), label_source)
        if self._views > 1:
            whole = np.eye(2, 3)[None]
            outputs = [self._mean_of_views(image, whole, label_sources[:1]) for image in images]
            output = np.concatenate([np.zeros((0, *self._output_shape), np.float32), *outputs])
        else:
            output = self._outputs(images)
        return decode(output, label_sources, self.spec.output_points)

    def predict_at(
        self, picture: Picture, crops: Float64, *, passes: int = PASSES, label_source: str | None = None
    ) -> list[Face]:
        """Returns a face for each crop, in their order.

        Each pass crops again by the keypoints of the previous pass, so that the face is upright and has the size that
        the network was trained on, until the crop stops moving. If the keypoint set has no eyes, there is one pass: the
        network was trained on upright boxes, in which a hand can point anywhere.

        Args:
            picture: as in `predict`.
            crops: float64 (F, 2, 3), picture to crop; `crops.crop_of` computes them from known keypoints.
            passes: the largest number of passes, at least 1.
            label_source: as in `predict_crops`.

        Raises:
            InputError: as in `predict`.
        """
        pixels = as_rgb(picture)
        crops, output = self._refine_crops(pixels, crops, passes)
        return self._faces(pixels, crops, output, np.ones(len(crops)), label_source)

    @functools.cached_property
    def _face_finder(self) -> FaceFinder:
        """The default detector, loaded for the first picture that needs it."""
        return FaceFinder(threads=self._threads)

    def _detect_faces(self, picture: UInt8, detector: Detector, label_source: str | None) -> list[Face]:
        """Returns the faces that a detector finds, sorted by uncertainty, then by the detector's score."""
        detected = detector(picture) if self.spec.expected_error else sure(detector(picture))
        max_first = MAX_FIRST_UNCERTAINTY_IF_EXACT if detected.exact else MAX_FIRST_UNCERTAINTY
        still_px = STILL_IF_EXACT_PX if detected.exact else STILL_PX
        first_crops = cropping.crop_of_boxes(detected, self.spec)
        crops, output = self._refine_crops(picture, first_crops, PASSES, max_first * self.typical_uncertainty, still_px)
        is_face = self._uncertainties(output) < MAX_UNCERTAINTY * self.typical_uncertainty
        faces = self._faces(picture, crops[is_face], output[is_face], detected.scores[is_face], label_source)
        return without_duplicates(sorted(faces, key=lambda face: (uncertainty(face), -face.score)))

    def _refine_crops(
        self,
        picture: UInt8,
        crops: Float64,
        passes: int,
        max_uncertainty: float = np.inf,
        still_px: float = STILL_PX,
    ) -> tuple[Float64, Float32]:
        """Returns the crops (F, 2, 3) of each face's last pass, and the network's output there, (F, M, 2 or 3).

        A face whose uncertainty is above `max_uncertainty`, or whose crop moves less than `still_px`, gets no further
        pass.
        """
        crops = np.array(crops, np.float64)
        output = np.zeros((len(crops), *self._output_shape), np.float32)
        moving = np.arange(len(crops))
        for passes_left in range(passes - 1, -1, -1):
            output[moving] = self._outputs(cropping.crop_faces(picture, crops[moving], self.spec))
            if not passes_left or self.spec.keypoint_set.eyes is None:
                break
            moving = moving[self._uncertainties(output[moving]) < max_uncertainty]
            in_crop = output[moving, : len(self.spec.keypoint_set), :2]
            better = cropping.crop_of(geometry.transform(in_crop, geometry.inverse(crops[moving])), self.spec)
            moved = cropping.largest_shift_px(crops[moving], better, self.spec) > still_px
            moving = moving[moved]
            if not len(moving):
                break
            crops[moving] = better[moved]
        return crops, output

    def _faces(
        self, picture: UInt8, crops: Float64, output: Float32, scores: Float64, label_source: str | None
    ) -> list[Face]:
        """Returns the faces in crops (F, 2, 3), in px of the picture; `output`: the network's for these crops."""
        label_sources = self._label_sources(len(output), label_source)
        if self._views > 1:
            output = self._mean_of_views(picture, crops, label_sources)
        coordinates, errors = decode(output, label_sources, self.spec.output_points)
        to_picture = geometry.inverse(crops)
        keypoints = geometry.transform(coordinates, to_picture).astype(np.float32)
        scales = np.sqrt(np.abs(np.linalg.det(to_picture[:, :, :2]))).astype(np.float32)
        errors_px = [None] * len(crops) if errors is None else errors * scales[:, None]
        boxes = [cropping.box_of(crop, self.spec) for crop in crops]
        return [
            Face(box, points, error_px, crop, self.spec.keypoint_set, score)
            for box, points, error_px, crop, score in zip(
                boxes, keypoints, errors_px, crops, scores.tolist(), strict=True
            )
        ]

    def _outputs(self, images: UInt8) -> Float32:
        """Returns the network's output for images in batches, float32 (N, M, 2 or 3)."""
        batches = [self._run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return np.concatenate([np.zeros((0, *self._output_shape), np.float32), *batches])

    def _mean_of_views(self, picture: UInt8, crops: Float64, label_sources: Int64) -> Float32:
        """Returns the mean output (F, M, 2 or 3) over the views of each crop (F, 2, 3), in px of the crop."""
        biased = np.isin(label_sources, self.spec.keypoint_set.biased_label_sources).any()
        matrices, mirrored = views(self._views, self.spec.crop.width_px, self._mirrors)
        kept = ~mirrored | (not biased)
        of_views = matrices[kept], mirrored[kept]
        means = [
            mean_output(outputs_of_views(self._outputs, picture, crop, self.spec, self.spec.output_points, of_views))
            for crop in crops
        ]
        return np.array(means, np.float32).reshape(len(crops), *self._output_shape)

    def _checked_views(self, count: int) -> int:
        """Returns the number of views after checking it."""
        maximum = max_views(self._mirrors)
        if not 1 <= count <= maximum:
            hint = "" if self._mirrors else f" (10 with mirror pairs, which {self.path} lacks)"
            raise InputError(f"views: is {count}, expected 1 to {maximum}{hint}")
        return count

    def _uncertainties(self, output: Float32) -> Float32:
        """Returns `face.uncertainty` of each face, float32 (F,), from the network's output."""
        if not self.spec.expected_error:
            return np.zeros(len(output), np.float32)
        of_keypoints = output[:, : len(self.spec.keypoint_set), 2]
        return np.asarray(of_keypoints.mean(axis=1) / self._box_px, np.float32)

    def _checked_images(self, images: UInt8) -> UInt8:
        """Returns the images after checking their type and size."""
        height, width, channels = self.spec.crop.shape
        dtype, shape = getattr(images, "dtype", type(images).__name__), np.shape(images)
        if dtype != np.uint8:
            raise InputError(f"images: are {dtype}, expected a numpy array of uint8 (0 black to 255 white)")
        if len(shape) != 4 or shape[3] not in CHANNELS:
            raise InputError(f"images: have shape {shape}, expected (N, {height}, {width}, {channels}), C being 1 or 3")
        if shape[1:3] != (height, width):
            size = f"{shape[1]} x {shape[2]} px"
            raise InputError(f"images: are {size}, {self.path} takes {height} x {width} px; crop or resize them")
        return images

    def _label_sources(self, count: int, name: str | None) -> Int64:
        """Returns the index of a label source, repeated for N faces, int64 (N,)."""
        label_sources = self.spec.keypoint_set.label_sources
        known = {label_sources[index].name: index for index in (0, *self.spec.label_sources)}
        if name is not None and name not in known:
            raise InputError(f"{name}: {self.path} has no label source of this name; give one of {', '.join(known)}")
        return np.full(count, known[name] if name else 0, np.int64)

    def _run(self, images: UInt8) -> Float32:
        """Returns the network's output for one batch, float32 (N, M, 2 or 3)."""
        images = cropping.with_channels(images, self.spec.crop.channels)
        shape = (len(images), *self._output_shape)
        try:
            output = np.asarray(self._session.run(None, {self._input: images.astype(np.float32)})[0], np.float32)
        except Exception as error:  # onnxruntime's errors have no common base class
            raise InputError(f"{self.path}: fails on a picture ({one_line(error)}); {EXPORT_AGAIN}") from None
        if output.shape != shape:
            raise InputError(f"{self.path}: gives {output.shape}, but its metadata says {shape}; {EXPORT_AGAIN}")
        if not np.isfinite(output).all():
            raise InputError(f"{self.path}: gives values that are not finite; {EXPORT_AGAIN}")
        return output


def _load_again(model: str | Path, digest: str, options: dict[str, Any]) -> Predictor:
    """Returns a predictor from a pickle.

    Args:
        digest: the SHA-256 of its file; "" for a shipped model, which may differ in another version of the library.

    Raises:
        InputError: the file is missing or has changed.
    """
    predictor = Predictor(model, **options)
    if predictor._load_arguments[1] != digest:
        raise InputError(f"{predictor.path}: has changed since this predictor loaded it; make a new Predictor")
    return predictor


def _typical_uncertainty(path: Path, box_px: float) -> float:
    """Returns `Predictor.typical_uncertainty` of an ONNX file; `box_px`: the width of the face's box in its crops."""
    try:
        error_px = float(json.loads(path.with_name(MANIFEST).read_bytes())["metrics"]["val_mae_px"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return TYPICAL_UNCERTAINTY
    return error_px / box_px if 0 < error_px < np.inf else TYPICAL_UNCERTAINTY


def _spec(session: Any, path: Path) -> ModelSpec:
    """Returns the spec in the metadata of an ONNX file."""
    try:
        values = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    except (KeyError, ValueError, RecursionError):
        raise InputError(f"{path}: does not say what the network predicts; {EXPORT_AGAIN}") from None
    return from_json(values, str(path))


def _input_name(session: Any, spec: ModelSpec, path: Path) -> str:
    """Returns the name of a network's only input after checking its shape."""
    inputs = session.get_inputs()
    sides = inputs[0].shape[1:] if len(inputs) == 1 else []
    if tuple(sides) != spec.crop.shape:
        raise InputError(f"{path}: takes {tuple(sides)}, but its metadata says {spec.crop.shape}; {EXPORT_AGAIN}")
    return str(inputs[0].name)
