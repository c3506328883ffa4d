"""Scores a part of the pictures and writes its Parquet file. Each process of Ray has one `Scorer`."""

import argparse
import json
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from common.hashes import file_hash
from facial_keypoints import results
from facial_keypoints.cli.options import detector_of
from facial_keypoints.cli.predict import face_finder
from facial_keypoints.errors import InputError, one_line, os_error_reason
from facial_keypoints.pictures import read_picture
from facial_keypoints.predictor import Predictor
from facial_keypoints.spec import ModelSpec
from scale_out.listing import Part, Row, rows_of

READ_AHEAD = 8  # files that are read while another is scored
MAX_DEATHS = 2  # a picture on which this many processes died is not tried again
COMPRESSION = "zstd"
FAILED = "failed"
COUNTS = b"counts"  # the key of a part's `Counts` in its Parquet metadata


class Counts(NamedTuple):
    """How many pictures a part has, how many faces, and how many pictures without a face or with an error."""

    pictures: int
    faces: int
    without_face: int
    errors: int


def file_of(out: Path, part: Part) -> Path:
    """Returns the Parquet file of a part."""
    return out / f"part-{part.number:06}.parquet"


def counts_of(file: Path) -> Counts | None:
    """Returns the counts of a part that is written; None if it is not, or if it is damaged."""
    try:
        return Counts(**json.loads(pq.read_metadata(file).metadata[COUNTS]))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def schema_of(spec: ModelSpec) -> pa.Schema:
    """Returns the columns of a part: picture, face, those of `results.columns`, and why a picture has no result."""
    numbers = [(name, pa.float64()) for name in results.columns(spec, measures=True)]
    return pa.schema([("file", pa.string()), ("face", pa.int32()), *numbers, ("error", pa.string())])


class Scorer:
    """Finds the faces of the pictures of a part, with one predictor of one thread."""

    def __init__(self, options: argparse.Namespace, digest: str, folder: str) -> None:
        """Loads the network. The first call returns its errors, which Ray would hide in its own.

        Args:
            options: of `scale_out.score`.
            digest: the hash of the model's file.
            folder: the folder of relative paths.
        """
        cv2.setNumThreads(1)
        self._failed = ""
        self._out, self._folder = Path(options.out), folder
        try:
            predictor = Predictor(options.model, threads=1, views=options.views)
            if file_hash(predictor.path) != digest:
                raise InputError(f"{predictor.path}: is another file on this machine; copy one model to all machines")
            self._faces_of = face_finder(options, predictor, detector_of(options), ())
            self._schema = schema_of(predictor.spec)
        except InputError as error:
            self._failed = str(error)

    def __call__(self, batch: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Writes the file of the one part in a batch; returns its `Counts` and the reason if it failed, each (1,)."""
        number, address, start, stop = (batch[name][0] for name in Part._fields)
        counts, failed = Counts(0, 0, 0, 0), self._failed
        try:
            if not failed:
                counts = self.write(Part(int(number), str(address), int(start), int(stop)))
        except OSError as error:
            failed = os_error_reason(error) or f"{address}: cannot be read ({one_line(error)})"
        except pa.ArrowException as error:
            failed = f"{address}: cannot be read ({one_line(error)})"
        return {name: np.array([value]) for name, value in {**counts._asdict(), FAILED: failed}.items()}

    def write(self, part: Part) -> Counts:
        """Writes the file of a part, whole or not at all.

        A file beside it holds the number of the picture being scored and remains if the process dies, for lack of
        memory or of a damaged picture. The part is then scored again without pictures on which several processes died.
        """
        file = file_of(self._out, part)
        pattern = f".{file.stem}.*.at"
        deaths = Counter(int(marker.read_bytes() or -1) for marker in self._out.glob(pattern))
        new = self._out / f".{file.stem}.{uuid.uuid4().hex}"
        rows: list[tuple[Any, ...]] = []
        pictures = faces = errors = 0
        with (self._out / f"{new.name}.at").open("wb", buffering=0) as marker:
            for row, content in read_ahead(rows_of(part), self._folder):
                marker.seek(0)
                marker.write(b"%d" % pictures)
                if deaths[pictures] < MAX_DEATHS:
                    values, error = self._faces(row, content)
                else:
                    values, error = [], f"{row.file}: {MAX_DEATHS} processes died of it"
                rows += [(row.file, number, *face, None) for number, face in enumerate(values)]
                if not values:
                    rows.append((row.file, *[None] * (len(self._schema) - 2), error))
                pictures, faces, errors = pictures + 1, faces + len(values), errors + bool(error)
        without_face = len(rows) - faces - errors
        counts = Counts(pictures, faces, without_face, errors)
        arrays = [
            pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        table = pa.table(arrays, self._schema.with_metadata({COUNTS: json.dumps(counts._asdict())}))
        pq.write_table(table, new, compression=COMPRESSION)
        new.replace(file)
        for old in self._out.glob(pattern):
            old.unlink(missing_ok=True)
        return counts

    def _faces(self, row: Row, content: Future[bytes]) -> tuple[list[list[float | None]], str | None]:
        """Returns `results.row` of each face in a picture, and what is wrong if the picture cannot be scored."""
        name = row.path or row.file
        try:
            faces = self._faces_of(read_picture(name, content=content.result()), row.file)
        except InputError as error:
            return [], str(error)
        except Exception as error:  # one picture of millions must not end the job; each store has its own errors
            return [], f"{name}: cannot be read ({type(error).__name__}: {one_line(error)})"
        return [results.row(results.face_values(face, measures=True), measures=True) for face in faces], None


def read_ahead(rows: Iterable[Row], folder: str) -> Iterator[tuple[Row, Future[bytes]]]:
    """Yields pictures with their bytes, or the error of reading them; reads the next ones ahead."""
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        waiting: deque[tuple[Row, Future[bytes]]] = deque()
        for row in rows:
            waiting.append((row, pool.submit(_read, row, folder)))
            if len(waiting) > READ_AHEAD:
                yield waiting.popleft()
        yield from waiting


def _read(row: Row, folder: str) -> bytes:
    if row.content is not None:
        return row.content
    if row.path is None:
        raise InputError(f"{row.file}: has neither bytes nor a path")
    if "://" not in row.path:
        return Path(folder, row.path).read_bytes()
    with fsspec.open(row.path, "rb") as file:
        return file.read()
