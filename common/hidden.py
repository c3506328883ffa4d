"""Files in a folder or a zip that are not part of a data set."""

from pathlib import PurePath

from facial_keypoints.folders import OF_FILE_MANAGERS

OF_MACOS_ZIP = "__MACOSX"  # the folder of `._` files in a zip from macOS


def is_hidden(below: PurePath) -> bool:
    """Returns whether a path is hidden or was left by a file manager: `.cache/a.png`, `__MACOSX/a.csv`, `Thumbs.db`.

    Args:
        below: the path relative to the folder or zip; the name of the folder itself does not count.
    """
    hidden = any(part.startswith(".") or part == OF_MACOS_ZIP for part in below.parts)
    return hidden or below.name in OF_FILE_MANAGERS
