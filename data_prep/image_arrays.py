"""Keeps arrays of images that can be larger than memory in files, and reads and writes them block by block.

A numpy array that maps a file (`numpy.memmap`) is used like any other, but the system counts each page of it that was
read or written as memory of this process until the map is closed. `reopen` closes it and maps the file again. All
functions also take arrays in memory. N images of H x W px and C channels.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from facial_keypoints.array_types import Bool, Float64, Int64, UInt8

BLOCK = 2048  # images at a time
Shape = tuple[int, int, int, int]


def empty(shape: Shape, folder: Path | None) -> UInt8:
    """Returns an array of images to fill, uint8 (N, H, W, C), in a new file in `folder`, or in memory if None."""
    if folder is None:
        return np.empty(shape, np.uint8)
    path = folder / f"images_{sum(1 for _ in folder.iterdir())}.npy"
    return np.lib.format.open_memmap(path, "w+", np.uint8, shape)


def reopen(images: UInt8) -> UInt8:
    """Returns the same images; no page of a mapped file is in memory afterwards.

    Args:
        images: uint8 (N, H, W, C), from `empty` or `concatenate`, or the first images of one; no other slice.
    """
    if not isinstance(images, np.memmap) or images.filename is None:
        return images
    images.flush()
    return np.memmap(images.filename, images.dtype, "r+", images.offset, images.shape)


def blocks(images: UInt8, indexes: Int64 | None = None) -> Iterator[UInt8]:
    """Yields the images, or those at `indexes` (n,), in order, at most BLOCK at a time."""
    for start in range(0, len(images) if indexes is None else len(indexes), BLOCK):
        block_slice = slice(start, start + BLOCK)
        yield reopen(images)[block_slice if indexes is None else indexes[block_slice]]


def concatenate(arrays: Sequence[UInt8], folder: Path | None) -> UInt8:
    """Returns arrays of images of one shape as one array, in a new file in `folder`, or in memory if None."""
    combined = empty((sum(map(len, arrays)), *arrays[0].shape[1:]), folder)
    return _fill(combined, (block for images in arrays for block in blocks(images)))


def only(images: UInt8, kept: Bool) -> UInt8:
    """Returns the images where `kept` (N,) is true: in a new file beside that of `images`, or in memory."""
    if not isinstance(images, np.memmap) or images.filename is None:
        return images[kept]
    indexes = np.flatnonzero(kept)
    return _fill(empty((len(indexes), *images.shape[1:]), Path(images.filename).parent), blocks(images, indexes))


def _fill(images: UInt8, new_blocks: Iterable[UInt8]) -> UInt8:
    """Writes the blocks into the array, one after another, and returns it."""
    start = 0
    for block in new_blocks:
        images[start : start + len(block)] = block
        start += len(block)
        images = reopen(images)
    return images


def save(path: Path, images: UInt8, indexes: Int64) -> None:
    """Writes the images at `indexes` (n,), in this order, as a `.npy` file."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(indexes), *images.shape[1:])}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks(images, indexes):
            file.write(np.ascontiguousarray(block).data)


def mean(images: UInt8, indexes: Int64) -> Float64:
    """Returns the mean gray image of the images at `indexes` (n,), float64 (H, W)."""
    total = np.zeros(images.shape[1:3])
    for block in blocks(images, indexes):
        total += block.sum(axis=(0, 3), dtype=np.float64)  # without a float64 copy
    return total / max(images.shape[3] * len(indexes), 1)
