"""A model or anyone's predictions in, CSV tables and plots out; the comparison of models."""

import common  # noqa: F401  (first: Ctrl-C during the slow imports that follow ends in one line)
