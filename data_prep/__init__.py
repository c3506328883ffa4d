"""Pictures and label files in, numpy arrays out."""

import common  # noqa: F401  (first: Ctrl-C during the slow imports that follow ends in one line)
