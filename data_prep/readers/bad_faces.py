"""Faces that cannot be used: the first one ends the run, or all are left out and listed (`--skip-bad`)."""

import contextlib
from collections.abc import Iterator

from facial_keypoints.errors import InputError


class BadFaces:
    """What becomes of a face that cannot be used.

    Attributes:
        skip: whether it is left out; otherwise its error ends the run.
        lines: what is wrong with each face that was left out, one line each.
    """

    def __init__(self, skip: bool) -> None:
        self.skip = skip
        self.lines: list[str] = []

    @contextlib.contextmanager
    def left_out(self) -> Iterator[None]:
        """Leaves out the face that the block reads where it raises InputError; without `skip` passes the error on."""
        try:
            yield
        except InputError as error:
            if not self.skip:
                raise
            self.lines.append(str(error))

    def check_some_left(self, place: object, left: int) -> None:
        """Raises InputError where no face of a file or folder is left.

        Args:
            place: the file or folder, for the message.
            left: how many of its faces can be used.
        """
        if self.lines and not left:
            raise InputError(f"{place}: not one of its faces can be used; the first: {self.lines[0]}")


STRICT = BadFaces(skip=False)  # it never changes
