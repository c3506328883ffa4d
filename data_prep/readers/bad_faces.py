"""Faces that cannot be used: the first one is an error, or all are skipped and listed (`--skip-bad`)."""

import contextlib
from collections.abc import Iterator

from facial_keypoints.errors import InputError


class BadFaces:
    """Skips and lists faces that cannot be used, or lets their errors pass.

    Attributes:
        skip: skip such faces; otherwise their errors end the run.
        lines: what is wrong with each skipped face, one line each.
    """

    def __init__(self, skip: bool) -> None:
        self.skip = skip
        self.lines: list[str] = []

    @contextlib.contextmanager
    def left_out(self) -> Iterator[None]:
        """Skips the face that the block reads if it raises InputError; without `skip` the error passes."""
        try:
            yield
        except InputError as error:
            if not self.skip:
                raise
            self.lines.append(str(error))

    def check_some_left(self, path: object, usable: int) -> None:
        """Raises InputError if all faces of a file or folder were skipped.

        Args:
            path: the file or folder, for the message.
            usable: how many of its faces can be used.
        """
        if self.lines and not usable:
            raise InputError(f"{path}: none of its faces can be used; the first: {self.lines[0]}")


STRICT = BadFaces(skip=False)  # has no state
