"""OpenCV's cascade of boosted Haar features (Viola and Jones 2001; Lienhart and Maydt 2002), tuned to miss little.

What it finds on the way where no face is falls to the error that the network expects of its keypoints. The picture's
histogram is left as it is, for the cascade normalizes each window itself: equalised, a scene of bright and dark parts
loses every third small face.
"""

from pathlib import Path

import cv2
import numpy as np

from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.boxes import Boxes, Detector, EyesInBox, joined, shrunk
from facial_keypoints.detectors.per_thread import PerThread
from facial_keypoints.detectors.turned import Turned
from facial_keypoints.spec import GRAY

FRONTAL, PROFILE = "haarcascade_frontalface_alt2.xml", "haarcascade_profileface.xml"  # OpenCV's wheels hold them
EYES = EyesInBox(0.5, 0.39, 0.38)
SCALE_STEP = 1.1
NEIGHBORS = 1  # further hits nearby
TILT_DEGREES = 25
SMALLEST_PX = 20  # of a face's box in that picture


class Haar:
    """Finds upright faces. It may be called from several threads at once."""

    def __init__(self, *, frontal: bool = True, profile: bool = False) -> None:
        """Args: frontal, profile: whether faces are sought that look at the camera, and aside (twice the time)."""
        self._frontal, self._profile = frontal, profile
        self._cascades = PerThread()  # OpenCV's cannot be shared

    def __call__(self, picture: UInt8) -> Boxes:
        """Returns boxes around faces of a picture, uint8 (H, W, 3) RGB or (H, W, 1) gray."""
        gray = picture if picture.shape[2] == GRAY else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        small = shrunk(gray.reshape(*picture.shape[:2], GRAY))[..., 0]
        found = [self._search(FRONTAL, small)] if self._frontal else []
        if self._profile:  # the cascade knows faces that look to the left of the picture
            right = self._search(PROFILE, np.ascontiguousarray(small[:, ::-1]))
            right[:, 0] = small.shape[1] - right[:, 0] - right[:, 2]
            found += [self._search(PROFILE, small), right]
        rows = np.concatenate(found)
        rows = rows[np.lexsort(rows.T[::-1])]  # the cascade's threads give them in any order
        ratio = np.array([picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0]] * 2)
        return Boxes(rows[:, :4] * ratio, rows[:, 4], np.zeros(len(rows)), EYES)

    def _search(self, name: str, gray: UInt8) -> Float64:
        """Returns float64 (F, 5): boxes in a gray picture and their scores."""
        boxes, _, scores = self._cascade(name).detectMultiScale3(
            gray, SCALE_STEP, NEIGHBORS, minSize=(SMALLEST_PX, SMALLEST_PX), outputRejectLevels=True
        )
        return np.column_stack([np.reshape(boxes, (-1, 4)), np.reshape(scores, -1)]).astype(np.float64)

    def _cascade(self, name: str) -> cv2.CascadeClassifier:
        """Returns this thread's own cascade."""
        of_thread: dict[str, cv2.CascadeClassifier] = self._cascades.__dict__
        if name not in of_thread:
            of_thread[name] = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))
        return of_thread[name]


def tilted_or_profile(haar: Haar) -> Detector:
    """Returns a detector of tilted faces and of profiles, for pictures in which `haar` finds no face."""
    tilted, profile = Turned(haar, (-TILT_DEGREES, TILT_DEGREES)), Haar(frontal=False, profile=True)
    return lambda picture: joined([tilted(picture), profile(picture)])
