"""Gradio's image component for uploads and camera frames; it checks their size before decoding."""

import base64
import binascii
import io
from typing import Any

import cv2
import gradio as gr
import numpy as np
from gradio.data_classes import ImageData

from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from web.uploads import check_pixels

FRAME_CHARACTERS = 4_000_000  # of a frame as a data URL; one of 640 x 480 px has about 100,000
FRAME_PIXELS = 4_000_000
JPEG_QUALITY = 85
JPEG_BEGINS = b"\xff\xd8"
DAMAGED = "A camera frame is damaged. Please start the camera again."
TOO_LARGE = "The camera frames are too large. Please choose a smaller size."


class Image(gr.Image):  # type: ignore[misc]  # the linters run where Gradio is not installed
    """An upload, passed to the handler as the path of an unopened file; or, if `streaming`, a camera frame.

    Frames are transferred as data URLs and never written to files. Handlers take and return uint8 (H, W, 3) RGB.
    """

    __module__ = gr.Image.__module__  # otherwise Gradio writes a stub beside this file and looks for another front end

    def preprocess(self, payload: ImageData | None) -> str | UInt8 | None:
        """Returns the path of the upload, or the frame; None if there is none."""
        if payload is None or not self.streaming:
            return None if payload is None else payload.path
        try:
            return decode_frame(payload.url or "")
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from None

    def postprocess(self, value: Any) -> ImageData | None:
        """Returns the data that the browser shows for a frame, or for the path of an example."""
        if isinstance(value, np.ndarray):
            return ImageData(url=encode_frame(value))
        return super().postprocess(value)

    async def async_move_resource_to_block_cache(self, url_or_file_path: Any) -> str | None:
        """Refuses URLs, which Gradio would download regardless of size."""
        if str(url_or_file_path).startswith(("http:", "https:")):
            raise gr.Error("URLs are not supported. Please upload the picture itself.", print_exception=False)
        return await super().async_move_resource_to_block_cache(url_or_file_path)


def decode_frame(url: str) -> UInt8:
    """Returns the frame, uint8 (H, W, 3) RGB, in a data URL of a JPEG.

    Raises:
        InputError: with a sentence for the visitor: not a frame, or too large.
    """
    if len(url) > FRAME_CHARACTERS:
        raise InputError(TOO_LARGE)
    try:
        content = base64.b64decode(url.partition("base64,")[2], validate=True)
    except binascii.Error:
        content = b""
    if not content.startswith(JPEG_BEGINS):
        raise InputError("The camera frames are not JPEG pictures. Please try another browser.")
    if not check_pixels(io.BytesIO(content), FRAME_PIXELS):  # without a readable header its size is unknown
        raise InputError(DAMAGED)
    try:
        frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        frame = None
    if frame is None:
        raise InputError(DAMAGED)
    return np.asarray(frame, np.uint8)


def encode_frame(frame: UInt8) -> str:
    """Returns a frame, uint8 (H, W, 3) RGB, as a data URL of a JPEG."""
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"
