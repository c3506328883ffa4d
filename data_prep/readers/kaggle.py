"""Downloads the re-uploaded 15-keypoint set from Kaggle with kagglehub, an optional package, and reads it."""

from pathlib import Path

from data_prep.faces import Faces
from data_prep.readers import npz
from data_prep.readers.bad_faces import STRICT, BadFaces
from facial_keypoints.errors import InputError
from facial_keypoints.folders import is_hidden

NAME = "kaggle"
DATASET = "nagasai524/facial-keypoint-detection"
BY_HAND = f"or download https://www.kaggle.com/datasets/{DATASET} by hand, unpack it and give its folder as INPUT"


def read(bad: BadFaces = STRICT) -> Faces:
    """Returns the faces of the Kaggle data set, which kagglehub downloads once.

    Raises:
        InputError: kagglehub is not installed, the download fails, or the data set cannot be read.
    """
    folder = fetch()
    files = [path for path in sorted(folder.rglob(npz.IMAGES)) if not is_hidden(path.relative_to(folder))]
    if not files:
        raise InputError(f"{folder}: the download has no {npz.IMAGES}; delete it and download it again, {BY_HAND}")
    return npz.read(files[0].parent, bad, NAME)


def fetch() -> Path:
    """Downloads the data set and returns its folder.

    Raises:
        InputError: kagglehub is not installed, or the download fails.
    """
    try:
        import kagglehub
    except ImportError:
        raise InputError(
            "the input kaggle needs kagglehub, which is not installed: pip install -r requirements-kaggle.txt, "
            f"{BY_HAND}"
        ) from None
    try:
        return Path(kagglehub.dataset_download(DATASET))
    except Exception as error:  # kagglehub raises the errors of its network layers, which have no common class
        raise InputError(
            f"{DATASET}: kagglehub could not download it ({type(error).__name__}: {error}); "
            f"check the network and your Kaggle sign-in, {BY_HAND}"
        ) from error
