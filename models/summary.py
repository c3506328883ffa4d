"""A network as a table."""

import os
from unittest.mock import patch

import keras

LINE_CHARACTERS = 160  # the longest names of v2 fit


def summary(model: keras.Model) -> str:
    """Returns the table of `model.summary()`, no column cut off.

    Keras draws it as wide as it is told, but the library that prints it cuts it off at the width of the terminal.
    """
    lines: list[str] = []
    with patch.dict(os.environ, COLUMNS=str(LINE_CHARACTERS)):
        model.summary(line_length=LINE_CHARACTERS, print_fn=lines.append)
    return "\n".join(lines)
