"""Lists the pictures of INPUT, and divides them into parts to score."""

import contextlib
import glob
import hashlib
import os
import posixpath
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from facial_keypoints.errors import InputError, listed, one_line, printable
from facial_keypoints.pictures import SUFFIXES, notes

PARQUET = ".parquet"
FILE, PATH, BYTES = COLUMNS = ("file", "path", "bytes")  # of a Parquet input, which needs `path` or `bytes`
TEXT = (pa.string(), pa.large_string())
TYPES = {FILE: TEXT, PATH: TEXT, BYTES: (pa.binary(), pa.large_binary())}
WILDCARDS = "*?["
CONNECTIONS = 16  # to a remote store at once
ROWS_AT_ONCE = 16  # of a Parquet file, whose bytes are in memory together
BUFFER_BYTES = 1 << 20  # of a Parquet column


class Shard(NamedTuple):
    """A Parquet file with a row for each picture: its address for fsspec, and its number of rows."""

    address: str
    rows: int


class Listing(NamedTuple):
    """The pictures of INPUT.

    Attributes:
        table: their `file` and `path`; None if INPUT is Parquet files.
        shards: the Parquet files of INPUT; none if there is a table.
        digest: a hash of all names and addresses, or of the names and sizes of the Parquet files.
    """

    table: pa.Table | None
    shards: list[Shard]
    digest: str

    @property
    def number(self) -> int:
        """The number of pictures."""
        return sum(shard.rows for shard in self.shards) if self.table is None else self.table.num_rows


class Part(NamedTuple):
    """Rows `start` to `stop` of the Parquet file at `address`."""

    number: int
    address: str
    start: int
    stop: int


class Row(NamedTuple):
    """A picture: its name in the tables, and its bytes or its address."""

    file: str
    path: str | None
    content: bytes | None


def find_pictures(source: str, out: Path) -> Listing:
    """Returns the pictures of INPUT, always in the same order.

    Args:
        source: a folder, a wildcard, a picture, a Parquet file or a text file of paths; local, or an fsspec address.
        out: the folder to write, which must not be in INPUT.

    Raises:
        InputError: nothing matches, INPUT cannot be read, or Parquet files have no rows or no column of pictures.
    """
    if "://" in source:
        with _errors_of_store(source):
            names, addresses = _remote(source)
    else:
        names, addresses = _local(source, out)
    if not addresses:
        raise InputError(f"{source}: nothing matches; give a folder, a wildcard, a text file of paths or Parquet")
    parquet = [address for address in addresses if address.endswith(PARQUET)]
    if len(parquet) == len(addresses):
        return _listing_of_parquet(source, addresses)
    if parquet:
        raise InputError(f"{source}: has both pictures and Parquet files; choose one kind with a wildcard")
    if len(addresses) == 1 and not addresses[0].lower().endswith(SUFFIXES):
        with _errors_of_store(source):
            names, addresses = _paths_of_text(source)
    digest = hashlib.sha256()
    names = [printable(name) for name in names]  # Arrow takes valid UTF-8 only
    addresses = [printable(address) for address in addresses]
    for name, address in zip(names, addresses, strict=True):
        digest.update(f"{name}\n{address}\n".encode())
    return Listing(pa.table({FILE: names, PATH: addresses}), [], digest.hexdigest())


def _local(source: str, out: Path) -> tuple[list[str], list[str]]:
    """Returns the names and the absolute paths of the files of INPUT."""
    path = Path(source)
    if path.is_dir():
        if out.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{source}: contains --out {out}; choose another --out")
        names = _pictures_and_parquet(source, list(_names_in(path)))
        root = os.path.abspath(source)  # noqa: PTH100 - a path object for each of millions of names takes 1 kB
        return names, [f"{root}/{name}" for name in names]
    if path.exists():
        return [path.name], [str(path.absolute())]
    if not any(character in source for character in WILDCARDS):
        raise InputError(f"{source}: no such file or folder")
    names = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 - the same
    names = [name for name in names if os.path.isfile(name)]  # noqa: PTH113
    return names, [os.path.abspath(name) for name in names]  # noqa: PTH100


def _names_in(folder: Path) -> Iterator[str]:
    """Yields the relative paths of all files in a folder, in order, without hidden ones. Links are not followed."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = "" if root == str(folder) else Path(root).relative_to(folder).as_posix() + "/"
        for name in sorted(names):
            if not name.startswith("."):
                yield below + name


@contextlib.contextmanager
def _errors_of_store(address: str) -> Iterator[None]:
    """Turns the errors of a store into InputErrors: each store has its own, and its package can be missing."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{address}: cannot be read ({one_line(error)})") from None


def _remote(source: str) -> tuple[list[str], list[str]]:
    """Returns the names and the addresses of the files of INPUT."""
    files, root = fsspec.core.url_to_fs(source)
    if any(character in root for character in WILDCARDS) and not files.exists(root):
        matches = [path for path, about in files.glob(root, detail=True).items() if about["type"] != "directory"]
        visible = sorted(path for path in matches if not posixpath.basename(path).startswith("."))
        matching = [files.unstrip_protocol(path) for path in visible]
        return matching, matching
    if files.isdir(root):
        below = {posixpath.relpath(path, root): path for path in files.find(root)}
        visible = [name for name in sorted(below) if not any(folder.startswith(".") for folder in name.split("/"))]
        names = _pictures_and_parquet(source, visible)
        return names, [files.unstrip_protocol(below[name]) for name in names]
    if not files.exists(root):
        raise InputError(f"{source}: no such file or folder")
    return [posixpath.basename(root)], [source]


def _pictures_and_parquet(source: str, names: list[str]) -> list[str]:
    """Returns the names of pictures and Parquet files; logs how many others there are."""
    kept = [name for name in names if name.lower().endswith((*SUFFIXES, PARQUET))]
    if others := len(names) - len(kept):
        notes.warning("%s: skipped files without the extension of a picture: %d", printable(source), others)
    return kept


def _paths_of_text(path: str) -> tuple[list[str], list[str]]:
    """Returns the lines of a text file, and each as an address."""
    with fsspec.open(path, "rb") as file:
        content = file.read()
    try:
        lines = [line.strip() for line in content.decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise InputError(f"{path}: is neither a picture ({', '.join(SUFFIXES)}) nor Parquet nor a text file") from None
    names = [line for line in lines if line]
    if not names:
        raise InputError(f"{path}: has no lines; give one path or address per line")
    return names, [name if "://" in name else os.path.abspath(name) for name in names]  # noqa: PTH100


def _listing_of_parquet(source: str, addresses: Sequence[str]) -> Listing:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        heads = list(pool.map(_head, addresses))
    if not any(rows for rows, _ in heads):
        raise InputError(f"{source}: holds no pictures; give Parquet files with rows")
    digest = hashlib.sha256(repr(list(zip(addresses, heads, strict=True))).encode()).hexdigest()
    return Listing(None, [Shard(address, rows) for address, (rows, _) in zip(addresses, heads, strict=True)], digest)


def _head(address: str) -> tuple[int, int]:
    """Checks the columns of a Parquet file and returns its number of rows and its size in bytes."""
    with _errors_of_store(address), fsspec.open(address, "rb") as file:
        try:
            parquet = pq.ParquetFile(file)
        except pa.ArrowException as error:
            raise InputError(f"{address}: is not a Parquet file ({one_line(error)})") from None
        schema = parquet.schema_arrow
        if not {PATH, BYTES} & set(schema.names):
            names = listed(schema.names)
            raise InputError(f"{address}: has no column {PATH} or {BYTES} (it has {names}); rename the one you mean")
        for name in [name for name in COLUMNS if name in schema.names]:
            if (kind := schema.field(name).type) not in TYPES[name]:
                raise InputError(f"{address}: its column {name} is {kind}, expected {TYPES[name][0]}")
        return parquet.metadata.num_rows, file.seek(0, os.SEEK_END)


def parts_of(shards: Sequence[Shard], size: int) -> list[Part]:
    """Returns the parts of some Parquet files, of at most `size` pictures; none spans two files."""
    ranges = [
        (shard.address, start, min(start + size, shard.rows))
        for shard in shards
        for start in range(0, shard.rows, size)
    ]
    return [Part(number, *each) for number, each in enumerate(ranges)]


def rows_of(part: Part) -> Iterator[Row]:
    """Yields the pictures of a part; a picture without a name is named after its row."""
    with fsspec.open(part.address, "rb") as file:
        parquet = pq.ParquetFile(file, buffer_size=BUFFER_BYTES)
        columns = [name for name in COLUMNS if name in parquet.schema_arrow.names]
        row = 0  # the first row of a group
        for group in range(parquet.num_row_groups):
            rows = parquet.metadata.row_group(group).num_rows
            if row < part.stop and row + rows > part.start:
                yield from _rows_of_group(parquet, group, row, columns, part)
            row += rows


def _rows_of_group(parquet: pq.ParquetFile, group: int, row: int, columns: list[str], part: Part) -> Iterator[Row]:
    for batch in parquet.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=columns):
        first, last = max(part.start - row, 0), min(part.stop - row, batch.num_rows)
        if first < last:
            for number, values in enumerate(batch.slice(first, last - first).to_pylist(), row + first):
                yield _row(values, f"{posixpath.basename(part.address)}:{number}")
        row += batch.num_rows
        if row >= part.stop:
            return


def _row(values: dict[str, Any], number: str) -> Row:
    path = values.get(PATH)
    return Row(values.get(FILE) or path or number, path, values.get(BYTES))
