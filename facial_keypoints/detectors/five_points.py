"""The five points that face finders predict, and the box that follows from them. F faces.

The points are the right eye, the left eye, the tip of the nose, the right and the left corner of the mouth; right and
left are the person's own. The box is the square in which the mean face, fitted to the five points, has its eyes where
`boxes.USUAL_EYES` expects them. So box, turn and crop always agree, and a face seen from the side keeps its size.
"""

import numpy as np
import numpy.typing as npt

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64
from facial_keypoints.boxes import USUAL_EYES, Boxes

NAMES = ("right_eye_center", "left_eye_center", "nose_tip", "mouth_right_corner", "mouth_left_corner")
MIRROR = (1, 0, 2, 4, 3)  # the point whose position each point takes in a mirrored picture
POINTS = len(NAMES)
_EYE = USUAL_EYES.apart / 2
MEAN = np.array(  # in sides of the box, from its top left corner; measured on 3,000 faces of LFW and the web
    [
        [0.5 - _EYE, USUAL_EYES.middle_y],
        [0.5 + _EYE, USUAL_EYES.middle_y],
        [0.5, 0.592],
        [0.351, 0.768],
        [0.649, 0.768],
    ]
)


def fitted_boxes(points: npt.ArrayLike) -> tuple[Float64, Float64, Float64]:
    """Returns the middle (F, 2) and the side (F,) of each face's box in px, and its turn (F,) in degrees clockwise.

    Args:
        points: (F, 5, 2) in px of the picture.
    """
    to_picture = geometry.inverse(geometry.fit_similarity(np.reshape(points, (-1, POINTS, 2)), MEAN))
    middle = geometry.transform(np.full((len(to_picture), 1, 2), 0.5), to_picture)[:, 0]
    across = to_picture[:, :, 0]
    return middle, np.hypot(across[:, 0], across[:, 1]), np.degrees(np.arctan2(across[:, 1], across[:, 0]))


def boxes_of(points: npt.ArrayLike, scores: Float64) -> Boxes:
    """Returns the boxes of faces from their points (F, 5, 2) in px of the picture, and their scores (F,)."""
    middle, side, turns = fitted_boxes(points)
    xywh = np.column_stack([middle - side[:, None] / 2, side, side])
    return Boxes(xywh, np.asarray(scores, np.float64), turns, USUAL_EYES, exact=True)
