"""Finds the faces in millions of pictures on all cores of this machine or of a Ray cluster, and writes Parquet.

python -m scale_out.score photos/ --model v2-68 --out scores
"""

import argparse
import contextlib
import importlib.util
import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from common.hashes import file_hash
from common.options import stage_parser
from common.process import native_stderr_silenced
from common.stage import command_line, locked
from facial_keypoints.cli.options import add_detector_options, add_model_options, cores, detector_of
from facial_keypoints.detectors.choose import NAMES
from facial_keypoints.errors import InputError, counted, one_line, run
from facial_keypoints.folders import OF_FILE_MANAGERS, atomic_file
from facial_keypoints.predictor import Predictor
from facial_keypoints.pretrained import shipped
from facial_keypoints.telemetry import switch_off

if TYPE_CHECKING:
    from scale_out.listing import Listing, Part
    from scale_out.scorer import Counts, Scorer

JOB, PICTURES = "_job.json", "_pictures.parquet"  # readers of a folder of Parquet files skip names with _
FORMAT_VERSION = 1
PARTS_PER_PROCESS = 20  # so that all processes end at about the same time
MIN_PICTURES, MAX_PICTURES = 8, 1000  # of a part
OBJECT_STORE_BYTES = 128 << 20  # of the Ray that this command starts; it only transfers counts
ANSWERS_S = 5  # time limit for connecting to an address


def parser() -> argparse.ArgumentParser:
    p = stage_parser("scale_out.score", __doc__, "photos/ --model v2-68 --out scores")
    p.add_argument(
        "input",
        metavar="INPUT",
        help="folder, wildcard in quotes, text file of paths, or Parquet with a column path or bytes; local or an "
        "fsspec address such as s3://bucket/folder",
    )
    p.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder to write, which all machines share; the same command continues a job that was interrupted",
    )
    p.add_argument(
        "--address",
        metavar="HOST:PORT|auto",
        help="of a Ray cluster that runs already (default: start Ray on this machine, with a process per core)",
    )
    add_detector_options(p).add_argument(
        "--no-detect", action="store_true", help="each picture shows one face, cropped already"
    )
    add_model_options(p, workers=False)
    p.set_defaults(box=None, boxes=None)
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a Parquet file for each part of the pictures that has none yet.

    Raises:
        InputError: bad options or input, a folder of another job, no Ray, or a machine that lacks what it needs.
    """
    options = parser().parse_args(arguments)
    if any(importlib.util.find_spec(name) is None for name in ("ray", "pyarrow", "fsspec")):
        raise InputError("Ray is not installed; install it with `pip install -r requirements-scale.txt`")
    predictor = Predictor(options.model, threads=1, views=options.views)
    if not options.no_detect:
        predictor.check_eyes("give pictures that show one of them each, and --no-detect")
    detector_of(options)
    from scale_out.listing import find_pictures

    pictures = find_pictures(options.input, options.out)
    digest = file_hash(predictor.path)
    values = {name: getattr(options, name) for name in ("detector", "any_angle", "smallest", "no_detect", "views")}
    facts = {"model": digest, "pictures": pictures.digest, **values}
    options.out = options.out.absolute()  # the processes of Ray have other current folders
    if options.model not in shipped():
        options.model = str(predictor.path.absolute())
    if options.detector not in NAMES:
        options.detector = str(Path(options.detector).absolute())
    with locked(options.out):
        score(options, pictures, facts)


def score(options: argparse.Namespace, pictures: "Listing", facts: Mapping[str, Any]) -> None:
    """Does the work of `main`, and prints a summary.

    Args:
        options: of the command; their paths are absolute.
        pictures: to score.
        facts: what must be the same to continue the job in the folder.
    """
    from scale_out.scorer import Scorer

    size = read_job(options.out, facts)
    done, missing = written_parts(options.out, pictures, size) if size else ([], [])
    if missing or not size:
        with ray_started(options.address) as processes:
            if not size:
                size = write_job(options.out, pictures, facts, processes)
                done, missing = written_parts(options.out, pictures, size)
            for path in options.out.glob(".part-*"):  # left by a process that was killed
                path.unlink()
            started = sum(each.pictures for each in done)
            with tqdm(total=pictures.number, initial=started, unit="picture", smoothing=0.1, disable=None) as bar:
                for counts in run_parts(missing, processes, Scorer, (options, facts["model"], str(Path.cwd()))):
                    bar.update(counts.pictures)
        done, missing = written_parts(options.out, pictures, size)
    if missing:
        raise InputError(
            f"{options.out}: {counted(len(missing), 'part')} of the job did not arrive here; give a folder that all "
            "machines share"
        )
    print(f"{options.out}: {summary(done)}")


def read_job(out: Path, facts: Mapping[str, Any]) -> int:
    """Returns the size of the parts of the job in a folder; 0 if there is none.

    Raises:
        InputError: the folder holds another job, or other files.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, not a folder; choose another --out")
    try:
        job = json.loads((out / JOB).read_bytes())
        size, earlier = int(job["part_size"]), dict(job["facts"])
    except FileNotFoundError:
        names = {path.name for path in out.iterdir()} if out.is_dir() else set()
        if others := sorted(names - {PICTURES, *OF_FILE_MANAGERS}):
            raise InputError(f"{out}: holds {others[0]}, and no job; choose an empty or new --out") from None
        return 0
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{out / JOB}: is damaged; choose another --out, or delete the folder") from None
    for name, value in facts.items():
        if earlier.get(name) != value:
            values = "" if name in ("model", "pictures") else f" ({earlier.get(name)}, not {value})"
            raise InputError(f"{out}: holds a job with other {name}{values}; choose another --out")
    return size


def write_job(out: Path, pictures: "Listing", facts: Mapping[str, Any], processes: int) -> int:
    """Begins a job in a folder, and returns the size of its parts, in pictures."""
    import pyarrow.parquet as pq

    size = min(max(-(-pictures.number // (PARTS_PER_PROCESS * processes)), MIN_PICTURES), MAX_PICTURES)
    out.mkdir(parents=True, exist_ok=True)
    if pictures.table is not None:
        pq.write_table(pictures.table, out / PICTURES, row_group_size=size)
    job = {"format_version": FORMAT_VERSION, "command": command_line(), "part_size": size, "facts": dict(facts)}
    with atomic_file(out / JOB) as partial:
        partial.write_text(json.dumps(job, indent=2) + "\n", encoding="utf-8")
    return size


def written_parts(out: Path, pictures: "Listing", size: int) -> tuple[list["Counts"], list["Part"]]:
    """Returns the counts of the written parts, and the parts that are not written."""
    from scale_out.listing import Shard, parts_of
    from scale_out.scorer import counts_of, file_of

    shards = pictures.shards if pictures.table is None else [Shard(str(out / PICTURES), pictures.number)]
    counts = {part: counts_of(file_of(out, part)) for part in parts_of(shards, size)}
    return [each for each in counts.values() if each], [part for part, each in counts.items() if each is None]


@contextlib.contextmanager
def ray_started(address: str | None) -> Iterator[int]:
    """Connects to a Ray cluster, or starts Ray on this machine, and yields how many processes can work at once.

    Raises:
        InputError: no cluster answers at the address, or Ray does not start.
    """
    if address and address != "auto":
        check_answers(address)
    switch_off("ray")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # otherwise Ray warns about its own actions
    import ray

    logging.getLogger("ray.data._internal").setLevel(logging.ERROR)
    local: dict[str, Any] = {
        "num_cpus": cores() + 1,  # one more than processes, so that Ray's own tasks never wait
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
    }
    try:
        with native_stderr_silenced():  # it reports that it read the variable
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else local))
    except Exception as error:  # Ray has no common class of errors
        if not address:
            raise InputError(f"Ray does not start ({one_line(error)})") from None
        message = f"--address {address}: is not a Ray cluster that accepts this machine ({one_line(error)})"
        raise InputError(f"{message}; if it was started with a token, set RAY_AUTH_MODE=token") from None
    try:
        yield int(ray.cluster_resources().get("CPU", 1)) if address else cores()
    finally:
        ray.shutdown()


def check_answers(address: str) -> None:
    """Raises InputError unless something accepts connections at an address HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWERS_S).close()
    except ValueError:
        raise InputError(f"--address {address}: is not HOST:PORT; give that of `ray start --head`, or auto") from None
    except OSError as error:
        message = f"--address {address}: nothing answers there ({one_line(error)})"
        raise InputError(f"{message}; start a cluster with `ray start --head`, or leave --address out") from None


def run_parts(
    parts: Sequence["Part"], processes: int, scorer: type["Scorer"], arguments: tuple[Any, ...]
) -> Iterator["Counts"]:
    """Yields the counts of parts as they are written, in any order.

    A part whose process or machine dies goes to another one.

    Args:
        parts: to score.
        processes: how many work at once, at most.
        scorer: created in each process with these arguments.

    Raises:
        InputError: a process cannot load the model, read the Parquet files or write.
    """
    import ray.data

    from scale_out.scorer import FAILED, Counts

    ray.data.DataContext.get_current().enable_progress_bars = False
    pool = ray.data.ActorPoolStrategy(size=min(processes, len(parts)), max_tasks_in_flight_per_actor=1)
    data = ray.data.from_items([part._asdict() for part in parts], override_num_blocks=len(parts))
    results = data.map_batches(scorer, batch_size=1, compute=pool, num_cpus=1, fn_constructor_args=arguments)
    for row in results.iter_rows():
        if row[FAILED]:
            raise InputError(row[FAILED])
        yield Counts(*(row[name] for name in Counts._fields))


def summary(parts: Sequence["Counts"]) -> str:
    """Returns how many faces were found, in one line."""
    pictures, faces, without_face, errors = (sum(each[number] for each in parts) for number in range(4))
    text = f"{counted(faces, 'face')} in {counted(pictures, 'picture')}"
    if without_face:
        text += f"; no face found in {without_face} of them"
    if errors:
        text += f"; {errors} could not be read (column error)"
    return text


if __name__ == "__main__":
    run(main)
