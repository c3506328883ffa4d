"""The camera: faces are followed from frame to frame, each visitor's apart."""

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from facial_keypoints.array_types import UInt8
from facial_keypoints.video.tracking import Tracker
from web.answers import predictor_of
from web.marking import NO_FILTER, mark, shrunk

LONGEST_PX = 640  # of a frame; larger ones cost more than they show


@dataclass(eq=False)
class Stream:
    """One visitor's camera: the tracker of its faces, and for which model and size of frame it is."""

    tracker: Tracker
    model: str
    shape: tuple[int, ...]

    def end(self) -> None:
        """Makes room for other cameras: a detection that waits for its turn is not made."""
        self.tracker.forget_pending()


@functools.cache
def background() -> ThreadPoolExecutor:
    """Returns where the detector of all cameras works, one frame at a time, while frames go on."""
    return ThreadPoolExecutor(1)


def follow(
    frame: UInt8, stream: Stream | None, model: str, *, filter: str = NO_FILTER, keypoints: bool = True
) -> tuple[UInt8, Stream]:
    """Returns a camera's frame, uint8 (H, W, 3) RGB, marked, and the stream to go on with.

    Args:
        stream: what the last frame gave; None at the first.
        model: the name of a shipped one.
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
