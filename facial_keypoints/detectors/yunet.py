"""YuNet (Wu, Peng and Yu 2023, "YuNet: a tiny millisecond-level face detector"), from a file that the user has.

It comes with OpenCV's model zoo as `face_detection_yunet_2023mar.onnx` (MIT).
"""

from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.array_types import UInt8
from facial_keypoints.boxes import Boxes, EyesInBox, shrunk
from facial_keypoints.detectors.per_thread import PerThread
from facial_keypoints.errors import InputError
from facial_keypoints.spec import GRAY

EYES = EyesInBox(0.5, 0.4, 0.45)
LOWEST_SCORE = 0.6
OVERLAP = 0.3  # of boxes of one face


class YuNet:
    """Finds faces from the front and the side, turned by up to 50 degrees. It may be called from several threads.

    By its own eyes it says which way a face is turned, if less far than it is.
    """

    def __init__(self, path: str | Path) -> None:
        """Args: path: the ONNX file.

        Raises:
            InputError: no such file, or another one.
        """
        self._path = Path(path).absolute()  # a copy in another process may have another working directory
        self._detectors = PerThread()  # OpenCV's cannot be shared
        if not self._path.is_file():
            raise InputError(f"{path}: no such file; give YuNet's face_detection_yunet_2023mar.onnx")
        self(np.zeros((64, 64, 3), np.uint8))

    def __call__(self, picture: UInt8) -> Boxes:
        """Returns boxes around faces of a picture, uint8 (H, W, 3) RGB or (H, W, 1) gray."""
        to_bgr = cv2.COLOR_GRAY2BGR if picture.shape[2] == GRAY else cv2.COLOR_RGB2BGR
        small = np.asarray(cv2.cvtColor(shrunk(picture), to_bgr), np.uint8)
        size = small.shape[1::-1]
        try:
            detector = self._detector()
            detector.setInputSize(size)
            _, rows = detector.detect(small)
        except cv2.error:
            raise InputError(f"{self._path}: is no YuNet model that OpenCV can run; fetch it again") from None
        found = np.zeros((0, 15)) if rows is None else np.asarray(rows, np.float64)
        ratio = np.array(picture.shape[1::-1]) / size
        right_eye, left_eye = found[:, 4:6] * ratio, found[:, 6:8] * ratio
        across = left_eye - right_eye
        turns = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
        return Boxes(found[:, :4] * np.tile(ratio, 2), found[:, 14], turns, EYES)

    def _detector(self) -> cv2.FaceDetectorYN:
        """Returns this thread's own detector."""
        of_thread: dict[str, cv2.FaceDetectorYN] = self._detectors.__dict__
        if "yunet" not in of_thread:
            of_thread["yunet"] = cv2.FaceDetectorYN.create(str(self._path), "", (64, 64), LOWEST_SCORE, OVERLAP)
        return of_thread["yunet"]
