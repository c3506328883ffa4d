"""Handles faces that cannot be used: the first one is an error, or all are skipped and listed (`--skip-bad`)."""

import contextlib
from collections.abc import Iterator

from facial_keypoints.errors import InputError


class BadFaces:
    """Skips and lists faces that cannot be used, or raises their errors.

    Attributes:
        skip: skip these faces; otherwise their errors end the run.
        lines: what is wrong with each skipped face, one line each.
    """

    def __init__(self, skip: bool) -> None:
        self.skip = skip
        self.lines: list[str] = []

    @contextlib.contextmanager
    def left_out(self) -> Iterator[None]:
        """Skips the face that the block reads if the block raises InputError; without `skip`, raises the error."""
        try:
            yield
        except InputError as error:
            if not self.skip:
                raise
            self.lines.append(str(error))

    def check_any_usable(self, path: object, usable: int) -> None:
        """Raises InputError if all faces of a file or folder were skipped.

        Args:
            path: the file or folder, for the message.
            usable: the number of its faces that can be used.
        """
        if self.lines and not usable:
            raise InputError(f"{path}: none of its faces can be used; the first: {self.lines[0]}")


STRICT = BadFaces(skip=False)  # collects no lines, so all can share it
