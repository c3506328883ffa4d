"""YuNet (Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"), which OpenCV runs."""

from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.boxes import Boxes, EyesInBox, shrink_for_search
from facial_keypoints.detectors.cache import RemoteFile, cached_path
from facial_keypoints.detectors.per_thread import PerThread
from facial_keypoints.errors import InputError
from facial_keypoints.pictures import Picture, as_rgb

# From OpenCV's model zoo. Copyright (c) 2020 Shiqi Yu, MIT license.
FILE = RemoteFile(
    "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    232_589,
)
EYES = EyesInBox(0.5, 0.4, 0.45)
MIN_SCORE = 0.6
SAME_FACE_OVERLAP = 0.3  # of two boxes, intersection over union


class YuNet:
    """Detects faces from the front and from the side, rotated by up to 50 degrees.

    It is a callable that takes a picture and returns `boxes.Boxes`, for `Predictor.predict(detector=...)`. Several
    threads may use it at once.

    Example:
        >>> from facial_keypoints import Predictor, YuNet
        >>> len(Predictor("v2").predict("photo.jpg", detector=YuNet()))
        2
    """

    def __init__(self, path: str | Path | None = None) -> None:
        """Loads the network.

        Args:
            path: `face_detection_yunet_2023mar.onnx` of OpenCV's model zoo; None fetches it (233 kB) when first used
                and keeps it in `$FACIAL_KEYPOINTS_CACHE` or `~/.cache/facial-keypoints`.

        Raises:
            InputError: the file is missing, cannot be fetched, or is not YuNet's.
        """
        file = cached_path(FILE) if path is None else Path(path)
        self._path = file.absolute()  # a copy in another process can have another working directory
        self._detectors = PerThread()  # threads cannot share OpenCV's detectors
        if not self._path.is_file():
            raise InputError(f"{path}: no such file; give YuNet's face_detection_yunet_2023mar.onnx")
        self(np.zeros((64, 64, 3), np.uint8))  # fails here if the file is not YuNet's

    def __call__(self, picture: Picture) -> Boxes:
        """Returns boxes around the faces in a picture: a path, an array or a PIL image, as in `Predictor.predict`.

        The turn of a box is that of the line between YuNet's eyes, which is smaller than the turn of the face.
        """
        picture = as_rgb(picture)
        small = np.asarray(cv2.cvtColor(shrink_for_search(picture), cv2.COLOR_RGB2BGR), np.uint8)
        size = small.shape[1::-1]
        try:
            detector = self._detector()
            detector.setInputSize(size)
            _, rows = detector.detect(small)
        except cv2.error:
            raise InputError(f"{self._path}: is not a YuNet model that OpenCV can run; fetch it again") from None
        detections = np.zeros((0, 15)) if rows is None else np.asarray(rows, np.float64)
        ratio = np.array(picture.shape[1::-1]) / size
        right_eye, left_eye = detections[:, 4:6] * ratio, detections[:, 6:8] * ratio
        across = left_eye - right_eye
        turns = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
        return Boxes(detections[:, :4] * np.tile(ratio, 2), detections[:, 14], turns, EYES)

    def _detector(self) -> cv2.FaceDetectorYN:
        """Returns the detector of this thread."""
        detectors: dict[str, cv2.FaceDetectorYN] = self._detectors.__dict__
        if "yunet" not in detectors:
            detectors["yunet"] = cv2.FaceDetectorYN.create(str(self._path), "", (64, 64), MIN_SCORE, SAME_FACE_OVERLAP)
        return detectors["yunet"]
