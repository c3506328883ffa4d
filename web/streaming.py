"""The camera: tracks faces from frame to frame, separately for each visitor."""

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from facial_keypoints.array_types import UInt8
from facial_keypoints.video.tracking import Tracker
from web.answers import predictor_of
from web.marking import NO_FILTER, mark, shrunk

LONGEST_PX = 640  # longer side of a frame; larger frames take longer and show no more


@dataclass(eq=False)
class Stream:
    """One visitor's camera: its tracker, and the model and frame size it was created for."""

    tracker: Tracker
    model: str
    shape: tuple[int, ...]

    def end(self) -> None:
        """Cancels a waiting detection, so that other cameras do not wait for it."""
        self.tracker.forget_pending()


@functools.cache
def background() -> ThreadPoolExecutor:
    """Returns the thread in which the detector of all cameras runs, one frame at a time."""
    return ThreadPoolExecutor(1)


def follow(
    frame: UInt8, stream: Stream | None, model: str, *, filter: str = NO_FILTER, keypoints: bool = True
) -> tuple[UInt8, Stream]:
    """Returns the annotated camera frame, uint8 (H, W, 3) RGB, and the stream for the next one.

    Args:
        stream: as returned for the last frame; None for the first.
        model: name of a shipped model.
        filter, keypoints: as in `marking.mark`.
    """
    frame = shrunk(frame, LONGEST_PX)
    predictor = predictor_of(model)
    if stream is None or stream.model != model or stream.shape != frame.shape:
        if stream is not None:
            stream.end()
        stream = Stream(Tracker(predictor, background=background()), model, frame.shape)
    faces = stream.tracker.update(frame, time.monotonic())
    numbers = [face.number for face in faces]
    return mark(frame, faces, filter=filter, keypoints=keypoints, numbers=numbers), stream
