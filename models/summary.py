"""The summary table of a network."""

import os
from unittest.mock import patch

import keras

LINE_CHARACTERS = 160  # fits the longest names of v2


def summary(model: keras.Model) -> str:
    """Returns the table of `model.summary()` at full width.

    Keras accepts a width, but the library that prints the table truncates it at the width of the terminal.
    """
    lines: list[str] = []
    with patch.dict(os.environ, COLUMNS=str(LINE_CHARACTERS)):
        model.summary(line_length=LINE_CHARACTERS, print_fn=lines.append)
    return "\n".join(lines)
