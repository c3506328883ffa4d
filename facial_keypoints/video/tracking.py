"""Follows faces from frame to frame, each with its own number. F faces, K keypoints.

The network predicts each face again where its last keypoints were. The detector, which takes a hundred times as long,
searches the whole frame only every few frames.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from facial_keypoints.array_types import Float32, Float64, UInt8
from facial_keypoints.boxes import Detector
from facial_keypoints.crops import box_of, crop_of
from facial_keypoints.face import MAX_UNCERTAINTY, Face, uncertainty, without_duplicates
from facial_keypoints.measures import Measures, measures
from facial_keypoints.pictures import Picture, as_rgb
from facial_keypoints.predictor import PASSES, Predictor
from facial_keypoints.video.one_euro import OneEuro

DETECT_EVERY = 30  # frames, while faces are followed
SEEK_EVERY = 10  # frames, while there is no face, or one is out of sight
FORGET_AFTER = 15  # frames out of sight; a face that appears later gets a new number
MAX_TRACKED_UNCERTAINTY = 2.6  # typical uncertainties; higher than for a new face, so that faces do not flicker
OVERLAP = 0.3  # of two boxes of one face, intersection over union, at least
CUT_LEVELS = 18  # of 255, mean difference of two thumbnails; a larger one is a cut to another scene
THUMBNAIL_PX = 32, 18

Box = tuple[float, float, float, float]  # x, y, width, height in px


@dataclass(frozen=True, eq=False)
class TrackedFace(Face):
    """A face in a frame of a clip.

    Attributes:
        number: the number of the face, from 0; the same in every frame, and unique in the clip.
        unsmoothed: float32 (K, 2), the keypoints of this frame alone; None if they are not smoothed.
    """

    number: int = 0
    unsmoothed: Float32 | None = None

    def measures(self) -> Measures:
        """Returns the measures: pose from the smoothed keypoints, openness from those of this frame, to show blinks."""
        return measures(self.keypoints, self.keypoint_set, self.unsmoothed)

    def to_dict(self) -> dict[str, Any]:
        """Returns `Face.to_dict` and the `number`."""
        return {"number": self.number, **super().to_dict()}


@dataclass(eq=False)
class _Track:
    """A face as it was last seen, not smoothed, and the number of frames for which it has been out of sight."""

    number: int
    face: Face
    unseen: int = 0
    smoother: OneEuro = field(default_factory=OneEuro)


class Tracker:
    """Follows the faces of one clip or camera, each with its own number.

    A face is visible while the network expects small errors there. `update` does not return a face that is out of
    sight, and forgets it after `FORGET_AFTER` frames. If the network does not predict its errors, a face is followed
    only as long as each detection finds it again. A cut to another scene ends all faces.

    Example:
        >>> from facial_keypoints import Predictor, Tracker, read_picture
        >>> tracker = Tracker(Predictor("v2"))
        >>> frames = [read_picture("photo.jpg")] * 3
        >>> for number, frame in enumerate(frames):
        ...     faces = tracker.update(frame, time_s=number / 25)
        >>> [face.to_dict()["number"] for face in faces]
        [0, 1]
    """

    def __init__(
        self,
        predictor: Predictor,
        detector: Detector | None = None,
        *,
        smooth: bool = True,
        background: Executor | None = None,
    ) -> None:
        """Starts without faces.

        Args:
            predictor: predicts the keypoints.
            detector: finds new faces every few frames; None: as in `Predictor.predict`.
            smooth: whether to smooth the keypoints by a one-euro filter.
            background: runs the detector while frames continue, for a camera; its faces come some frames late. None:
                each frame waits for the detector, so that equal clips give equal faces.

        Raises:
            InputError: the predictor's keypoint set has no eyes, which face detection needs.
        """
        predictor.check_eyes("clips and cameras need a model of faces")
        self._predictor, self._detector = predictor, detector
        self._smooth, self._background = smooth, background
        self._tracks: list[_Track] = []
        self._count = 0  # the number of faces so far
        self._since_detection = SEEK_EVERY
        self._pending: Future[list[Face]] | None = None
        self._outdated = False  # whether the pending detection belongs to the scene before a cut
        self._thumbnail: Float64 | None = None

    def update(self, frame: Picture, time_s: float) -> list[TrackedFace]:
        """Returns the faces in the next frame, ordered by their numbers.

        Args:
            frame: a picture as in `Predictor.predict`, usually uint8 (H, W, 3) RGB, of the same size as the last one.
            time_s: when it was taken, in seconds, later than the previous frame.

        Raises:
            InputError: as in `Predictor.predict`.
        """
        frame = as_rgb(frame)
        if self._is_cut(frame):
            self._tracks, self._since_detection = [], DETECT_EVERY
            self.forget_pending()
        lost = self._follow(frame)
        self._since_detection += 1
        if self._outdated and self._pending is not None and self._pending.done():
            self._pending, self._outdated = None, False
        every = DETECT_EVERY if self._tracks and not any(track.unseen for track in self._tracks) else SEEK_EVERY
        if lost or self._since_detection >= every:
            self._begin_detection(frame)
        if self._pending is not None and not self._outdated and self._pending.done():
            self._join(frame, self._pending.result())
            self._pending = None
        self._tracks = [track for track in self._tracks if track.unseen <= FORGET_AFTER]
        seen = [track for track in self._tracks if not track.unseen]
        return [self._tracked_face(track, time_s) for track in seen]

    def forget_pending(self) -> None:
        """Cancels the pending detection; if it is already running, ignores its result.

        Call it before you drop a tracker whose `background` other trackers share.
        """
        if self._pending is not None:
            self._outdated = not self._pending.cancel()
        if not self._outdated:
            self._pending = None

    def _is_cut(self, frame: UInt8) -> bool:
        """Returns whether a frame shows another scene than the previous one."""
        small = np.asarray(cv2.resize(frame, THUMBNAIL_PX, interpolation=cv2.INTER_AREA), np.float64)
        before, self._thumbnail = self._thumbnail, small
        return before is not None and float(np.abs(small - before).mean()) > CUT_LEVELS

    def _follow(self, frame: UInt8) -> bool:
        """Predicts each face at its last position; returns whether a face of the previous frame was lost."""
        if not self._tracks:
            return False
        before = [track.face for track in self._tracks]
        faces = self._predict_at(frame, before, passes=1)
        overlaps = [overlap(face.box, last.box) for face, last in zip(faces, before, strict=True)]
        order = sorted(range(len(faces)), key=lambda number: -overlaps[number])
        certain = [
            faces[number]
            for number in order
            if uncertainty(faces[number]) < MAX_TRACKED_UNCERTAINTY * self._predictor.typical_uncertainty
        ]
        kept = without_duplicates(certain)  # keeps one of two tracks on the same face
        lost = False
        for track, face in zip(self._tracks, faces, strict=True):
            if any(face is one for one in kept):
                track.face, track.unseen = face, 0
            else:
                lost |= not track.unseen
                track.unseen += 1
        return lost

    def _begin_detection(self, frame: UInt8) -> None:
        if self._pending is not None:
            return
        self._since_detection = 0
        if self._background is None:
            self._pending = Future()
            self._pending.set_result(self._predictor.predict(frame, detector=self._detector))
        else:
            self._pending = self._background.submit(self._predictor.predict, frame, detector=self._detector)

    def _join(self, frame: UInt8, detected: list[Face]) -> None:
        """Assigns detected faces to the tracks they overlap most; the rest start new tracks."""
        if self._background is not None:  # detected in an earlier frame
            limit = MAX_UNCERTAINTY * self._predictor.typical_uncertainty
            detected = without_duplicates(
                face for face in self._predict_at(frame, detected) if uncertainty(face) < limit
            )
        pairs = pair([track.face.box for track in self._tracks], [face.box for face in detected])
        for number, other in pairs.items():
            track, face = self._tracks[number], detected[other]
            if track.unseen or uncertainty(face) <= uncertainty(track.face):
                track.face = face
            track.unseen = 0
        if not self._predictor.spec.expected_error:
            self._tracks = [track for number, track in enumerate(self._tracks) if number in pairs]
        for face in (face for other, face in enumerate(detected) if other not in pairs.values()):
            self._tracks.append(_Track(self._count, face))
            self._count += 1

    def _predict_at(self, frame: UInt8, faces: Sequence[Face], passes: int = PASSES) -> list[Face]:
        """Predicts each face again in the crop of its last keypoints."""
        keypoints = np.array([face.keypoints for face in faces], np.float64)
        crops = crop_of(keypoints, self._predictor.spec) if len(faces) else np.zeros((0, 2, 3))
        return self._predictor.predict_at(frame, crops, passes=passes)

    def _tracked_face(self, track: _Track, time_s: float) -> TrackedFace:
        face = track.face
        keypoints = track.smoother(face.keypoints, face.box[2], time_s) if self._smooth else face.keypoints
        box = box_of(crop_of(keypoints[None], self._predictor.spec)[0], self._predictor.spec)
        return TrackedFace(
            box,
            keypoints,
            face.expected_error,
            face.crop,
            face.keypoint_set,
            face.score,
            track.number,
            face.keypoints if self._smooth else None,
        )


def pair(boxes: Sequence[Box], others: Sequence[Box]) -> dict[int, int]:
    """Pairs boxes with others, those that overlap most first; returns indexes {box: other}.

    Boxes that overlap less than `OVERLAP` are not paired.
    """
    overlaps = [(overlap(box, other), i, j) for i, box in enumerate(boxes) for j, other in enumerate(others)]
    pairs: dict[int, int] = {}
    for share, i, j in sorted(overlaps, reverse=True):
        if share >= OVERLAP and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def overlap(box: Box, other: Box) -> float:
    """Returns the intersection of two boxes (x, y, width, height) over their union."""
    width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
    height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (box[2] * box[3] + other[2] * other[3] - shared)
