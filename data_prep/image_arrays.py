"""Arrays of images that may be larger than memory: kept in a file, and read and written block by block.

A numpy array that maps a file (`numpy.memmap`) is used like any other, but the system counts each page of it that was
touched as memory of this process until the map is closed. `reopened` closes it: it returns a new map of the same file.
All functions take arrays in memory as well. N images of H x W px and C channels.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from facial_keypoints.array_types import Bool, Float64, Int64, UInt8

BLOCK = 2048  # images at a time
Shape = tuple[int, int, int, int]


def empty(shape: Shape, folder: Path | None) -> UInt8:
    """Returns an array of images to fill, uint8 (N, H, W, C): in a new file in a folder, or in memory for None."""
    if folder is None:
        return np.empty(shape, np.uint8)
    path = folder / f"images_{sum(1 for _ in folder.iterdir())}.npy"
    return np.lib.format.open_memmap(path, "w+", np.uint8, shape)


def reopened(images: UInt8) -> UInt8:
    """Returns the same images; those in a file with none of its pages in memory.

    Args:
        images: uint8 (N, H, W, C), from `empty` or `joined`, or the first of such: no other part of an array.
    """
    if not isinstance(images, np.memmap) or images.filename is None:
        return images
    images.flush()
    return np.memmap(images.filename, images.dtype, "r+", images.offset, images.shape)


def blocks(images: UInt8, chosen: Int64 | None = None) -> Iterator[UInt8]:
    """Yields the images, or the chosen ones (n,), in their order, at most BLOCK at a time."""
    for start in range(0, len(images) if chosen is None else len(chosen), BLOCK):
        part = slice(start, start + BLOCK)
        yield reopened(images)[part if chosen is None else chosen[part]]


def joined(several: Sequence[UInt8], folder: Path | None) -> UInt8:
    """Returns arrays of images of one shape as one array, in a new file in a folder, or in memory for None."""
    everything = empty((sum(map(len, several)), *several[0].shape[1:]), folder)
    return _filled(everything, (block for images in several for block in blocks(images)))


def only(images: UInt8, kept: Bool) -> UInt8:
    """Returns the images where bool (N,) is true: of a file in a new file beside it, of an array in memory there."""
    if not isinstance(images, np.memmap) or images.filename is None:
        return images[kept]
    chosen = np.flatnonzero(kept)
    return _filled(empty((len(chosen), *images.shape[1:]), Path(images.filename).parent), blocks(images, chosen))


def _filled(images: UInt8, parts: Iterable[UInt8]) -> UInt8:
    """Returns the array with these images in it, one block after another."""
    start = 0
    for block in parts:
        images[start : start + len(block)] = block
        start += len(block)
        images = reopened(images)
    return images


def save(path: Path, images: UInt8, chosen: Int64) -> None:
    """Writes the chosen images (n,), in this order, as a `.npy` file."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(chosen), *images.shape[1:])}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks(images, chosen):
            file.write(np.ascontiguousarray(block).data)


def mean(images: UInt8, chosen: Int64) -> Float64:
    """Returns the mean gray image of the chosen ones (n,), float64 (H, W)."""
    total = np.zeros(images.shape[1:3])
    for block in blocks(images, chosen):
        total += block.sum(axis=(0, 3), dtype=np.float64)  # without a copy in this type
    return total / max(images.shape[3] * len(chosen), 1)
