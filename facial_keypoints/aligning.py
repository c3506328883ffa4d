"""Leveled, centerd crops of faces, as face recognition takes them."""

import numpy as np

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64
from facial_keypoints.face import Face
from facial_keypoints.filters.apply import points15
from facial_keypoints.keypoint_set import FACE15

SIZE_PX = 112

# Where recognizers expect five keypoints in 112 x 112 px: ArcFace's template (Deng et al. 2019) and its successors'.
TEMPLATE_PX = {
    "right_eye_center": (38.2946, 51.6963),
    "left_eye_center": (73.5318, 51.5014),
    "nose_tip": (56.0252, 71.7366),
    "mouth_right_corner": (41.5493, 92.3655),
    "mouth_left_corner": (70.7299, 92.2041),
}


def alignment(face: Face, size_px: int = SIZE_PX, margin: float = 0.0) -> Float64:
    """Returns the matrix (2, 3), picture to crop, of a square crop in which a face is level and centerd.

    The similarity that lays eye centers, nose tip and mouth corners on TEMPLATE_PX with least squared error;
    `geometry.crop(picture, matrix, size_px, size_px)` cuts.

    Args:
        face: of 15 or 68 keypoints.
        size_px: of the crop's sides; the template grows with it.
        margin: what the crop shows more on each side, as a share of what it shows at 0.
    """
    points = points15(face)[[FACE15.index(name) for name in TEMPLATE_PX]]
    places = (np.array(list(TEMPLATE_PX.values())) + 0.5) / SIZE_PX  # pixel edges, which a change of size keeps
    matrices = geometry.fit_similarity(points, (places + margin) / (1 + 2 * margin) * size_px - 0.5)
    return np.asarray(matrices[0])
