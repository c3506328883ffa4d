"""Reads text files in the encodings that common programs write."""

import codecs
import re
from pathlib import Path

from facial_keypoints.errors import InputError

BYTE_ORDER_MARKS = (  # UTF-32 first, because its mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WINDOWS = "Windows-1252"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # occurs in pictures and zips, not in text
UNDECODED = re.compile("[\udc80-\udcff]")  # a byte that is not UTF-8
DECODED = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")  # two bytes or more of UTF-8
CHECKED_BYTES = 1000
NUL_SHARE = 0.25  # minimum share of NUL bytes in UTF-16 text in a Latin alphabet


def read_text(path: Path, kind: str) -> tuple[str, str]:
    """Returns a text file and its encoding: `UTF-8`, `UTF-16`, `UTF-32` or `Windows-1252`.

    UTF-16 and UTF-32 need a byte order mark. Windows-1252 is assumed if no bytes beyond ASCII are valid UTF-8.

    Args:
        path: the file.
        kind: the expected kind of file, for the message.

    Raises:
        InputError: the file does not exist, or has another encoding.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; give a {kind}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give a {kind}") from None
    for mark, encoding in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            name = encoding.removesuffix("-sig").upper()
            try:
                return content.decode(encoding), name
            except UnicodeDecodeError:
                raise InputError(f"{path}: begins as {name} but is damaged; save it as UTF-8") from None
    if looks_like_utf16(content):
        raise InputError(f"{path}: seems to be UTF-16 without a byte order mark; save it as UTF-8")
    text = content.decode("utf-8", "surrogateescape")
    undecoded = UNDECODED.search(text)
    if undecoded is None:
        return text, "UTF-8"
    if DECODED.search(text):
        line = text.count("\n", 0, undecoded.start()) + 1
        raise InputError(f"{path}, line {line}: is not UTF-8, unlike other lines; save the file as UTF-8")
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError:
        text = "\0"
    if CONTROL.search(text):
        raise InputError(f"{path}: is not a {kind}, or neither UTF-8 nor {WINDOWS}; save it as UTF-8 text")
    return text, WINDOWS


def looks_like_utf16(content: bytes) -> bool:
    """Returns whether bytes are probably UTF-16, by the byte order mark or the share of NUL bytes at the start."""
    head = content[:CHECKED_BYTES]
    has_mark = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return has_mark or head.count(0) > max(NUL_SHARE * len(head), 1)
