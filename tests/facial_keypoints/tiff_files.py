"""TIFF files with several pictures, as cameras and scanners write them."""

import struct
from collections.abc import Sequence
from pathlib import Path

from PIL import Image


class Tiff:
    """A TIFF file written byte by byte, with features no library writes: SubIFDs and pages with a subfile type."""

    def __init__(self, order: str = "<", *, big: bool = False) -> None:
        self._order, self._offset, self._count = order, "Q" if big else "I", "Q" if big else "H"
        self._bytes = bytearray({"<": b"II", ">": b"MM"}[order] + struct.pack(order + "H", 43 if big else 42))
        self._bytes += struct.pack(order + "HH", 8, 0) if big else b""
        self._next_at = len(self._bytes)
        self._bytes += bytes(struct.calcsize(order + self._offset))

    def _pointer(self, value: int) -> bytes:
        return struct.pack(self._order + self._offset, value)

    def directory(self, image: Image.Image, below: Sequence[int] = (), **tags: int) -> int:
        """Adds an RGB picture and its directory, with tags given by name; returns the directory's offset."""
        strip = len(self._bytes)
        self._bytes += image.tobytes()
        entries = {256: image.width, 257: image.height, 258: 8, 259: 1, 262: 2, 277: 3, 278: image.height}
        entries |= {273: strip, 279: len(image.tobytes())}
        entries |= {TIFF_TAGS[name]: value for name, value in tags.items()}
        below_at = len(self._bytes)
        self._bytes += struct.pack(f"{self._order}{len(below)}I", *below)
        offset = len(self._bytes)
        self._bytes += struct.pack(self._order + self._count, len(entries) + bool(below))
        rows = {tag: (1, struct.pack(self._order + "I", value)) for tag, value in entries.items()}
        if below:
            values = struct.pack(f"{self._order}{len(below)}I", *below)
            fits = len(values) <= len(self._pointer(0))
            rows[TIFF_TAGS["sub_ifds"]] = (len(below), values if fits else self._pointer(below_at))
        for tag, (count, value) in sorted(rows.items()):
            width = struct.calcsize(self._order + self._offset)
            self._bytes += struct.pack(self._order + "HH" + self._offset, tag, 4, count) + value.ljust(width, b"\0")
        self._bytes += self._pointer(0)
        return offset

    def page(self, image: Image.Image, below: Sequence[int] = (), **tags: int) -> None:
        """Adds a picture as the next page."""
        offset, end = self.directory(image, below, **tags), len(self._bytes)
        at = self._next_at
        pointer = self._pointer(offset)
        self._bytes[at : at + len(pointer)] = pointer
        self._next_at = end - len(pointer)

    def write(self, path: Path) -> Path:
        path.write_bytes(self._bytes)
        return path


TIFF_TAGS = {"subfile": 254, "photometric": 262, "orientation": 274, "sub_ifds": 330}
FULL = Image.new("RGB", (60, 40), "red")
HALF = Image.new("RGB", (30, 20), "lime")
PREVIEW = Image.new("RGB", (16, 12), "blue")
