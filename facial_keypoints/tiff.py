"""Lists the pictures in a TIFF file. RAW photos are TIFF files too; often their first picture is a small preview."""

import struct
from typing import BinaryIO, NamedTuple

MAX_PAGES, MAX_TAGS, MAX_VALUES = 10_000, 65_535, 100  # of a file, of a page, of a tag in TAGS
BYTE_ORDERS = {b"II": "<", b"MM": ">"}
SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BIG = 43  # the number after the byte order in files with offsets of 8 bytes
CANON_RAW = b"CR"  # at byte 8 of a CR2 file, whose sensor page has no size or type

# Tags and some of their values (TIFF 6.0, TIFF/EP, DNG).
NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, PHOTOMETRIC, ORIENTATION, SUB_IFDS = 254, 255, 256, 257, 262, 274, 330
TAGS = (NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, PHOTOMETRIC, ORIENTATION, SUB_IFDS)
REDUCED_OR_MASK, OLD_REDUCED = 1 | 4, 2
OF_SENSOR = (32803, 34892)  # color filter array, linear raw
INTEGERS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # the types of integer values, as `struct` names them


class Page(NamedTuple):
    """One picture of a TIFF file.

    Attributes:
        offset: the position of its directory, in bytes.
        width_px, height_px: its size; 0 if missing.
        reduced: whether it is a smaller copy of another picture, or a mask.
        of_sensor: whether it holds the raw values of a camera's sensor.
        orientation: its EXIF orientation; 0 if missing.
        parent: the page whose SubIFD it is, an index into `Pages.pages`; None for a top-level page.
    """

    offset: int
    width_px: int
    height_px: int
    reduced: bool
    of_sensor: bool
    orientation: int
    parent: int | None


class Pages(NamedTuple):
    """The pictures of a TIFF file, each page before its SubIFDs; `raw`: whether the file is a RAW photo."""

    pages: list[Page]
    raw: bool


class _Layout(NamedTuple):
    """The `struct` formats of a file's directories: byte order, number of entries, an entry, an offset.

    `first_at`: the position of the first directory's offset, in bytes.
    """

    order: str
    number: str
    entry: str
    offset: str
    first_at: int


def read_pages(file: BinaryIO) -> Pages:
    """Returns the pictures of a TIFF file; reads only directories, up to the first damaged one."""
    pages: list[Page] = []
    head = file.read(16)
    layout = _layout(head)
    (following,) = struct.unpack_from(layout.order + layout.offset, head, layout.first_at)
    visited: set[int] = set()

    def add(offset: int, parent: int | None) -> tuple[list[int], int]:
        """Adds a page; returns the offsets of its SubIFDs, and that of the next page."""
        if not offset or offset in visited or len(pages) >= MAX_PAGES:
            return [], 0
        visited.add(offset)
        try:
            tags, after = _directory(file, offset, layout)
        except (struct.error, OSError, ValueError, OverflowError):
            return [], 0
        pages.append(_page(offset, tags, parent))
        return tags.get(SUB_IFDS, []), after

    while following:
        number = len(pages)
        below, following = add(following, None)
        for offset in below:
            add(offset, number)
    return Pages(pages, head[8:10] == CANON_RAW or any(page.of_sensor for page in pages))


def main_page(pages: list[Page]) -> Page | None:
    """Returns the main picture of a file; None if there is none.

    It is the first that is not a smaller copy, or the largest SubIFD of that page if the page is its preview.
    """
    whole = [page for page in pages if not page.reduced] or pages
    if not whole:
        return None
    first = whole[0]
    larger = [page for page in whole if page.parent == pages.index(first) and pixel_count(page) > pixel_count(first)]
    return max(larger, key=pixel_count, default=first)


def pixel_count(page: Page) -> int:
    """Returns the number of pixels of a picture."""
    return page.width_px * page.height_px


def with_first_page(page: Page, content: bytes) -> bytes:
    """Returns the bytes of a file, changed so that readers begin with this page."""
    layout = _layout(content)
    offset = struct.pack(layout.order + layout.offset, page.offset)
    return content[: layout.first_at] + offset + content[layout.first_at + len(offset) :]


def _layout(head: bytes) -> _Layout:
    order = BYTE_ORDERS[head[:2]]
    (number,) = struct.unpack_from(order + "H", head, 2)
    return _Layout(order, "Q", "HHQ8s", "Q", 8) if number == BIG else _Layout(order, "H", "HHI4s", "I", 4)


def _directory(file: BinaryIO, offset: int, layout: _Layout) -> tuple[dict[int, list[int]], int]:
    """Returns the values of TAGS in a directory, and the offset of the next directory, 0 after the last."""
    order = layout.order
    file.seek(offset)
    (count,) = struct.unpack(order + layout.number, file.read(struct.calcsize(order + layout.number)))
    if count > MAX_TAGS:
        raise ValueError(f"{count} tags")
    entries = file.read(count * struct.calcsize(order + layout.entry))
    (following,) = struct.unpack(order + layout.offset, file.read(struct.calcsize(order + layout.offset)))
    tags = {}
    for tag, value_type, number, content in struct.iter_unpack(order + layout.entry, entries):
        if tag in TAGS and value_type in INTEGERS and number <= MAX_VALUES:
            value_format = f"{order}{number}{INTEGERS[value_type]}"
            size = struct.calcsize(value_format)
            if size <= len(content):
                values = content[:size]
            else:  # the entry holds their offset
                file.seek(struct.unpack(order + layout.offset, content)[0])
                values = file.read(size)
            tags[tag] = list(struct.unpack(value_format, values))
    return tags, following


def _page(offset: int, tags: dict[int, list[int]], parent: int | None) -> Page:
    def value(tag: int) -> int:
        return (tags.get(tag) or [0])[0]

    reduced = bool(value(NEW_SUBFILE_TYPE) & REDUCED_OR_MASK) or value(SUBFILE_TYPE) == OLD_REDUCED
    of_sensor = value(PHOTOMETRIC) in OF_SENSOR
    return Page(offset, value(WIDTH), value(HEIGHT), reduced, of_sensor, value(ORIENTATION), parent)
