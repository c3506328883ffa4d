"""Clips with frames at arbitrary times, as browsers and phones record them; OpenCV writes constant rates only."""

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2

from facial_keypoints.array_types import UInt8

# Matroska elements (RFC 9559) that a reader needs for a clip without sound.
EBML, DOC_TYPE, SEGMENT, INFO, TIMESTAMP_SCALE, DURATION = 0x1A45DFA3, 0x4282, 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489
TRACKS, TRACK_ENTRY, TRACK_NUMBER, TRACK_UID, TRACK_TYPE, CODEC_ID = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83, 0x86
DEFAULT_DURATION, VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT = 0x23E383, 0xE0, 0xB0, 0xBA
DISPLAY_WIDTH, DISPLAY_HEIGHT = 0x54B0, 0x54BA
CLUSTER, TIMESTAMP, SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3
MILLISECOND_NS, KEY_FRAME = 1_000_000, 0x80


def element(number: int, content: bytes | int | str) -> bytes:
    """Returns an element with its content: bytes, an unsigned integer, or text."""
    if isinstance(content, int):
        content = content.to_bytes(8, "big")
    body = content.encode() if isinstance(content, str) else content
    name = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return name + (len(body) | 1 << 56).to_bytes(8, "big") + body


def write_matroska(
    path: Path,
    frames: Sequence[UInt8],
    times_ms: Sequence[int],
    *,
    nominal_fps: float = 0,
    duration_ms: float = 0,
    shown_width_px: int = 0,
) -> Path:
    """Writes frames, uint8 (H, W, 3) RGB, as Motion JPEG in Matroska, each in a cluster of its own.

    Args:
        nominal_fps: frame rate stored in the track; 0: none.
        duration_ms: length stored in the file; 0: none, as in recordings of a browser.
        shown_width_px: display width of a frame; 0: its own width.
    """
    height, width = frames[0].shape[:2]
    video = element(PIXEL_WIDTH, width) + element(PIXEL_HEIGHT, height)
    if shown_width_px:
        video += element(DISPLAY_WIDTH, shown_width_px) + element(DISPLAY_HEIGHT, height)
    track = element(TRACK_NUMBER, 1) + element(TRACK_UID, 1) + element(TRACK_TYPE, 1) + element(CODEC_ID, "V_MJPEG")
    if nominal_fps:
        track += element(DEFAULT_DURATION, round(1e9 / nominal_fps))
    info = element(TIMESTAMP_SCALE, MILLISECOND_NS)
    if duration_ms:
        info += element(DURATION, struct.pack(">d", duration_ms))
    segment = element(INFO, info) + element(TRACKS, element(TRACK_ENTRY, track + element(VIDEO, video)))
    for frame, time_ms in zip(frames, times_ms, strict=True):
        jpeg = cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes()
        block = element(SIMPLE_BLOCK, struct.pack(">BhB", 0x81, 0, KEY_FRAME) + jpeg)
        segment += element(CLUSTER, element(TIMESTAMP, time_ms) + block)
    path.write_bytes(element(EBML, element(DOC_TYPE, "matroska")) + element(SEGMENT, segment))
    return path


def retime_mp4(path: Path, gaps: Sequence[float]) -> Path:
    """Changes the times of the frames of an MP4 file that OpenCV wrote.

    Args:
        gaps: how long each frame is shown, in frame intervals of the original rate.
    """
    content = path.read_bytes()
    at = content.index(b"stts") - 4
    (size,) = struct.unpack_from(">I", content, at)
    (count, ticks) = struct.unpack_from(">II", content, at + 16)
    assert count == len(gaps)
    rows = b"".join(struct.pack(">II", 1, round(gap * ticks)) for gap in gaps)
    box = struct.pack(">I4sII", 16 + len(rows), b"stts", 0, len(gaps)) + rows
    changed = bytearray(content[:at] + box + content[at + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):  # the index follows the frames
        of_parent = content.index(parent) - 4
        struct.pack_into(">I", changed, of_parent, struct.unpack_from(">I", content, of_parent)[0] + len(box) - size)
    at = changed.index(b"edts")  # an edit list, which would cut the clip to its former length
    changed[at : at + 4] = b"free"
    path.write_bytes(changed)
    return path
