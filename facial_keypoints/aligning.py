"""Crops of faces, aligned for face recognition."""

from collections.abc import Sequence

import numpy as np

from facial_keypoints import geometry
from facial_keypoints.array_types import Float64, UInt8
from facial_keypoints.crops import crop_square
from facial_keypoints.face import Face
from facial_keypoints.keypoint_set import check_roles
from facial_keypoints.pictures import Picture, as_rgb

SIZE_PX = 112

# Where face recognition expects five keypoints in 112 x 112 px: the template of ArcFace (Deng et al. 2019).
TEMPLATE_PX = {
    "right_eye_center": (38.2946, 51.6963),
    "left_eye_center": (73.5318, 51.5014),
    "nose_tip": (56.0252, 71.7366),
    "mouth_right_corner": (41.5493, 92.3655),
    "mouth_left_corner": (70.7299, 92.2041),
}


def align(picture: Picture, faces: Sequence[Face], size_px: int = SIZE_PX, margin: float = 0.0) -> UInt8:
    """Returns a square crop of each face, upright and centered for face recognition, uint8 (F, S, S, 3) RGB.

    A similarity (shift, rotation, scale) moves the eye centers, the tip of the nose and the corners of the mouth to
    ArcFace's template (Deng et al. 2019) with the least squared error. Outside the picture its edge is repeated.

    Args:
        picture: a path, an array or a PIL image, as in `Predictor.predict`.
        faces: F faces in this picture, of a keypoint set that has both eyes, the nose tip and the mouth corners.
        size_px: the side S of the crops.
        margin: extra border on each side, as a fraction of the side without a margin.

    Raises:
        InputError: the picture cannot be read, or the keypoint set lacks one of the five keypoints.

    Example:
        >>> from facial_keypoints import Predictor, align
        >>> faces = Predictor("v2").predict("photo.jpg")
        >>> align("photo.jpg", faces, size_px=160).shape
        (2, 160, 160, 3)
    """
    pixels = as_rgb(picture)
    crops = [crop_square(pixels, alignment_matrix(face, size_px, margin), size_px) for face in faces]
    return np.stack(crops) if crops else np.zeros((0, size_px, size_px, 3), np.uint8)


def alignment_matrix(face: Face, size_px: int = SIZE_PX, margin: float = 0.0) -> Float64:
    """Returns the matrix that `align` uses, picture to crop, float64 (2, 3)."""
    check_roles(face.keypoint_set, TEMPLATE_PX, "alignment")
    points = [face.role(name) for name in TEMPLATE_PX]
    template = (
        np.array(list(TEMPLATE_PX.values())) + 0.5
    ) / SIZE_PX  # from pixel edges, so that it scales with the size
    matrices = geometry.fit_similarity(points, (template + margin) / (1 + 2 * margin) * size_px - 0.5)
    return np.asarray(matrices[0])
