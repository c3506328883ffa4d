"""One file per network; each has `build(input_shape, keypoints) -> keras.Model`: uint8 pictures in, px out."""

import os

from common.quiet import native_stderr_silenced

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
with native_stderr_silenced():  # the backend's start-up notes about drivers look like errors and are none
    import keras

    keras.ops.zeros(1)  # some come with the first use of a device
