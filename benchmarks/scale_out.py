"""Measures `scale_out.score` on this machine: its rate against plain processes, its memory, how its cost grows.

    python -m benchmarks.scale_out FOLDER --pictures 4000 [--turns 3] [--model NAME|DIR|FILE] [--no-detect]
    python -m benchmarks.scale_out FOLDER --pictures 10000 100000 --turns 0 [--no-detect]
    python -m benchmarks.scale_out FOLDER --pictures 1000 10000 100000 1000000 --turns 0 --stub

The pictures of FOLDER are repeated until there are `--pictures` of them. In each turn, as many plain processes as there
are cores do the same work without Ray, at the same time; each has a predictor of one thread. Rates and CPU
times exclude the start: Ray's are between the first file of each process and the last file. `--stub` reads the
pictures, but neither decodes them nor runs a network: the rest is the cost of the engine.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import cv2

from common.markdown import table
from common.options import stage_parser
from facial_keypoints import results
from facial_keypoints.cli.options import cores, detector_of
from facial_keypoints.cli.predict import face_finder
from facial_keypoints.errors import InputError, run
from facial_keypoints.pictures import SUFFIXES, read_picture
from facial_keypoints.predictor import Predictor
from scale_out import score

SPAWN = multiprocessing.get_context("spawn")
EVERY_S = 0.5
SCORING = b"ray::MapWorker"  # Ray's name of a process that scores
TICKS = os.sysconf("SC_CLK_TCK")
MB = 1e6


class Sample(NamedTuple):
    """What a command and its descendants have used.

    Attributes:
        at: time in s.
        files: number of written Parquet files.
        scoring_s, other_s: CPU time of the processes that score, and of all others.
        command_mb, scoring_mb: memory of the command, and of the largest process that scores.
    """

    at: float
    files: int
    scoring_s: float
    other_s: float
    command_mb: float
    scoring_mb: float


def stub_scorer() -> type:
    """Returns a `Scorer` without a network: it reads a picture and returns one face for it."""
    from scale_out.scorer import Scorer

    class Stub(Scorer):
        def _faces(self, row: Any, content: Any) -> tuple[list[list[float | None]], str | None]:
            content.result()
            return [[1.0] * (len(self._schema) - 3)], None

    return Stub


def job(arguments: list[str], stub: bool) -> None:
    """Runs the command in this process."""
    import scale_out.scorer

    os.environ.setdefault("RAY_worker_niceness", "0")  # by default 15, which is slow if other programs run
    with mock.patch.object(scale_out.scorer, "Scorer", stub_scorer() if stub else scale_out.scorer.Scorer):
        score.main(arguments)


def plain(arguments: list[str], pictures: Sequence[str], start: Any) -> tuple[float, float]:
    """Returns the seconds and the CPU seconds in which one process does the same work without Ray."""
    cv2.setNumThreads(1)
    options = score.parser().parse_args(arguments)
    predictor = Predictor(options.model, threads=1, views=options.views)
    faces_of = face_finder(options, predictor, detector_of(options), ())
    start.wait()
    started, cpu = time.perf_counter(), time.process_time()
    for picture in pictures:
        for face in faces_of(read_picture(picture), picture):
            results.row(results.face_values(face, measures=True), measures=True)
    return time.perf_counter() - started, time.process_time() - cpu


def plain_in(queue: Any, *arguments: Any) -> None:
    queue.put(plain(*arguments))


def plain_rate(arguments: list[str], pictures: Sequence[str]) -> tuple[float, float]:
    """Returns how many pictures a second plain processes score together, and the CPU ms of a picture."""
    number = cores()
    queue, start = SPAWN.Queue(), SPAWN.Barrier(number)
    shares = [(queue, arguments, pictures[n::number], start) for n in range(number)]
    processes = [SPAWN.Process(target=plain_in, args=share) for share in shares]
    for process in processes:
        process.start()
    times = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    return len(pictures) / max(clock for clock, _ in times), 1e3 * sum(cpu for _, cpu in times) / len(pictures)


def sample_command(arguments: list[str], out: Path, stub: bool) -> list[Sample]:
    """Runs the command in its own process, and returns samples of it."""
    process = SPAWN.Process(target=job, args=(arguments, stub))
    process.start()
    samples, scoring, other = [], dict[int, float](), dict[int, float]()
    while process.is_alive():
        time.sleep(EVERY_S)
        command_mb = scoring_mb = 0.0
        for pid in descendants(process.pid or 0):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                name = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue  # it has just ended
            scores = name.startswith(SCORING)
            (scoring if scores else other)[pid] = (int(fields[11]) + int(fields[12])) / TICKS
            mb = int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / MB
            command_mb = max(command_mb, mb if pid == process.pid else 0)
            scoring_mb = max(scoring_mb, mb if scores else 0)
        files = len(list(out.glob("part-*")))
        cpu_s = sum(scoring.values()), sum(other.values())
        samples.append(Sample(time.perf_counter(), files, *cpu_s, command_mb, scoring_mb))
    if process.exitcode:
        raise InputError(f"the command ended with {process.exitcode}")
    return samples


def descendants(root: int) -> list[int]:
    """Returns a process and all that it has started, directly or not."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
        below.setdefault(parent, []).append(int(entry.parent.name))
    processes = [root]
    for pid in processes:
        processes += below.get(pid, [])
    return processes


def ray_row(options: list[str], pictures: Sequence[str], stub: bool) -> tuple[float, float, list[str]]:
    """Returns the rate of Ray after the start, the CPU ms of a picture in a scoring process, and the cells of a row."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        (Path(folder) / "list.txt").write_text("\n".join(pictures), encoding="utf-8")
        started = time.perf_counter()
        samples = sample_command([f"{folder}/list.txt", "--out", str(out), *options], out, stub)
        seconds = time.perf_counter() - started
        size = json.loads((out / score.JOB).read_bytes())["part_size"]
        files = len(list(out.glob("part-*")))
    working = [sample for sample in samples if sample.files >= cores()]
    first, last = working[0], next(sample for sample in samples if sample.files == files)
    done = size * (last.files - first.files)
    rate = done / (last.at - first.at) if done else float("nan")
    cpu_ms = 1e3 * (last.scoring_s - first.scoring_s) / done if done else float("nan")
    others = (last.other_s - first.other_s) / (last.at - first.at) if done else float("nan")
    peaks = [max(sample.command_mb for sample in samples), max(sample.scoring_mb for sample in samples)]
    cells = [f"{seconds:.0f}", f"{rate:,.0f}", f"{cpu_ms:.2f}", f"{others:.3f}", *(f"{mb:.0f}" for mb in peaks)]
    return rate, cpu_ms, cells


def parser() -> argparse.ArgumentParser:
    p = stage_parser("benchmarks.scale_out", __doc__, "photos/ --pictures 240 --turns 1")
    p.add_argument("folder", type=Path, metavar="FOLDER", help="pictures")
    p.add_argument(
        "--pictures", type=int, nargs="+", default=[4000], metavar="N", help="numbers of pictures (default: 4000)"
    )
    p.add_argument(
        "--turns",
        type=int,
        default=3,
        metavar="N",
        help="repetitions of the comparison with plain processes; 0: no comparison (default: %(default)s)",
    )
    p.add_argument("--stub", action="store_true", help="decode nothing and run no network")
    p.add_argument("--no-detect", action="store_true", help="each picture shows one face, cropped already")
    p.add_argument("--model", default="v2", metavar="NAME|DIR|FILE", help="model (default: %(default)s)")
    return p


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    files = sorted(str(path.absolute()) for path in options.folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{options.folder}: holds no pictures")
    words = ["--model", options.model, *(["--no-detect"] if options.no_detect else [])]
    header = [
        "pictures",
        "s",
        "pictures / s",
        "CPU ms each",
        "cores for the rest",
        "MB, command",
        "MB, scoring process",
    ]
    rows = []
    for number, _ in itertools.product(options.pictures, range(max(options.turns, 1))):
        pictures = list(itertools.islice(itertools.cycle(files), number))
        if options.turns:
            plain_per_s, plain_ms = plain_rate(["unused", "--out", "unused", *words], pictures)
        per_s, ms, cells = ray_row(words, pictures, options.stub)
        rows.append([f"{number:,}", *cells])
        if options.turns:
            rows[-1] += [f"{plain_per_s:,.0f}", f"{plain_ms:.2f}", f"{per_s / plain_per_s:.2f}", f"{plain_ms / ms:.2f}"]
    if options.turns:
        header += ["plain pictures / s", "plain CPU ms", "ratio of rates", "ratio of CPU times"]
    print(table(header, rows))


if __name__ == "__main__":
    run(main)
