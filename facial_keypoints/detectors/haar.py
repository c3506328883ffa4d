"""OpenCV's cascades of boosted Haar features (Viola and Jones 2001; Lienhart and Maydt 2002), set to miss few faces.

`Predictor.predict` drops their many false detections by the expected error of the keypoints. The picture's histogram
is not equalized: the cascade normalizes each window itself, and equalizing a scene with bright and dark parts loses
every third small face.
"""

from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.boxes import Boxes, EyesInBox, shrink_for_search
from facial_keypoints.detectors.per_thread import PerThread
from facial_keypoints.pictures import Picture, as_rgb

FRONTAL, PROFILE = "haarcascade_frontalface_alt2.xml", "haarcascade_profileface.xml"  # in OpenCV's wheels
EYES = EyesInBox(0.5, 0.39, 0.38)
SCALE_STEP = 1.1
NEIGHBORS = 1  # detections nearby that confirm one
SMALLEST_PX = 20  # of a face's box in the searched picture


class Haar:
    """Detects upright faces with the cascades of OpenCV. Several threads may use it at once.

    It is a callable that takes a picture and returns `boxes.Boxes`, for `Predictor.predict(detector=...)`.

    Example:
        >>> from facial_keypoints import Haar, Predictor
        >>> len(Predictor("v2").predict("photo.jpg", detector=Haar(profile=True)))
        2
    """

    def __init__(self, *, profile: bool = False) -> None:
        """Chooses the cascades.

        Args:
            profile: also detect faces from the side, which takes three times as long.
        """
        self._profile = profile
        self._cascades = PerThread()  # threads cannot share OpenCV's cascades

    def __call__(self, picture: Picture) -> Boxes:
        """Returns boxes around the faces in a picture: a path, an array or a PIL image, as in `Predictor.predict`."""
        picture = as_rgb(picture)
        small = shrink_for_search(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)[..., None])[..., 0]
        detections = [self._search(FRONTAL, small)]
        if self._profile:  # the cascade detects faces that look to the left of the picture
            right = self._search(PROFILE, np.ascontiguousarray(small[:, ::-1]))
            right[:, 0] = small.shape[1] - right[:, 0] - right[:, 2]
            detections += [self._search(PROFILE, small), right]
        rows = np.concatenate(detections)
        rows = rows[np.lexsort(rows.T[::-1])]  # the cascade's threads return them in any order
        ratio = np.array([picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0]] * 2)
        return Boxes(rows[:, :4] * ratio, rows[:, 4], np.zeros(len(rows)), EYES)

    def _search(self, name: str, gray: UInt8) -> Float64:
        """Returns boxes in a gray picture (H, W) and their scores, float64 (F, 5)."""
        boxes, _, scores = self._cascade(name).detectMultiScale3(
            gray, SCALE_STEP, NEIGHBORS, minSize=(SMALLEST_PX, SMALLEST_PX), outputRejectLevels=True
        )
        return np.column_stack([np.reshape(boxes, (-1, 4)), np.reshape(scores, -1)]).astype(np.float64)

    def _cascade(self, name: str) -> cv2.CascadeClassifier:
        """Returns the cascade of this thread."""
        cascades: dict[str, cv2.CascadeClassifier] = self._cascades.__dict__
        if name not in cascades:
            cascades[name] = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))
        return cascades[name]
