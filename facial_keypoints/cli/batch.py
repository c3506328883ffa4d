"""What `predict`, `filter` and `align` share: a folder that is filled picture by picture, and goes on after a kill."""

import argparse
import csv
import errno
import functools
import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2

from facial_keypoints.cli.inputs import Source, check_name
from facial_keypoints.cli.resume import Unfinished
from facial_keypoints.errors import InputError, printable
from facial_keypoints.predictor import Predictor

UNREAD = "unread.csv"  # pictures that could not be read
MOST_WORKERS = 1024
UNTOLD = ("main", "out", "overwrite", "paths", "model", "workers")  # options on which no result hangs, or told apart

Work = Callable[[Source, Path], Any]


def _no_clip(source: Source, _: Path) -> None:
    raise InputError(f"{source.path}: is a clip; give pictures")


def check_new(out: Path) -> None:
    """Raises InputError where something stands already."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; choose another --out, or delete it")


def predictor_of(options: argparse.Namespace, pictures: Sequence[Source]) -> Predictor:
    """Returns the model that the options name; a core for each worker, or all of them for one picture at once.

    Raises:
        InputError: as `Predictor`, or no workers.
    """
    if not 1 <= options.workers <= MOST_WORKERS:
        raise InputError(f"--workers {options.workers}: must be at least 1 and at most {MOST_WORKERS}")
    threads = 1 if len(pictures) > 1 else options.workers  # a picture for each is quicker than a part of one
    cv2.setNumThreads(threads)
    return Predictor(options.model, threads=threads)


def fill_folder(
    options: argparse.Namespace,
    predictor: Predictor,
    pictures: Sequence[Source],
    clips: Sequence[Source] = (),
    *,
    of_picture: Work,
    finish: Callable[[Path, list[Any], list[Any]], str],
    of_clip: Work = _no_clip,
    drawn_from: str = "",
) -> None:
    """Fills `--out` whole or not at all; the same command goes on where it was killed. Prints a line.

    Args:
        of_picture: reads a picture and writes what is made of it into a folder, from several threads; returns JSON
            values.
        finish: writes tables of what all pictures gave, and all clips, each in their order; returns the line.
        of_clip: reads a clip and writes what is made of it; returns JSON values that are not None.
        drawn_from: what else the results hang on, besides the options, the network and the sources.

    Raises:
        InputError: no picture could be read; or some of several, after all else is written.
    """
    settings = _settings(options, predictor, [*pictures, *clips], drawn_from)
    with Unfinished(options.out, settings) as unfinished:
        tell = len(pictures) + len(clips) > 1
        done, unread = _each_picture(pictures, of_picture, unfinished, options.workers, tell=tell)
        of_clips = []
        for clip in clips:
            if (key := _stamp(clip)) not in unfinished.records:
                unfinished.keep(key, of_clip(clip, unfinished.folder))
            of_clips.append(unfinished.records[key])
        if unread and not (done or clips):
            unfinished.discard()
            raise InputError(unread[0][1] if len(unread) == 1 else f"none of {len(unread)} pictures could be read")
        line = finish(unfinished.folder, done, of_clips)
        if unread:
            with (unfinished.folder / UNREAD).open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows([("file", "reason"), *unread])
        unfinished.finish()
    print(f"{options.out}: {line}")
    if unread:
        raise InputError(f"{options.out / UNREAD}: {len(unread)} of {len(pictures)} pictures could not be read")


def _settings(
    options: argparse.Namespace, predictor: Predictor, sources: Sequence[Source], drawn_from: str
) -> dict[str, Any]:
    """Returns all that the results hang on, JSON values: a run goes on only with what an equal one left."""
    given = {name: str(value) for name, value in vars(options).items() if name not in UNTOLD}
    model = hashlib.sha256(predictor.path.read_bytes()).hexdigest()
    paths = [(source.name, str(source.path.resolve())) for source in sources]
    command, several = options.main.__module__, options.workers > 1
    return {**given, "command": command, "model": model, "several": several, "sources": paths, "drawn": drawn_from}


def _each_picture(
    pictures: Sequence[Source], work: Work, unfinished: Unfinished, workers: int, *, tell: bool
) -> tuple[list[Any], list[tuple[str, str]]]:
    """Does the work on each picture that an earlier run has not done.

    Returns what it gave for all of them, in their order, and the names of those that could not be read, each with the
    reason; `tell`: it is told on stderr, too.
    """

    def tried(source: Source) -> Any:
        try:
            check_name(source)
            return work(source, unfinished.folder)
        except InputError as error:  # one bad picture of many does not stop the others
            return error
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return InputError(f"{source.path}: what is made of it would have too long a name; give it a shorter one")

    unread: dict[str, str] = {}
    stamps = {source.name: _stamp(source) for source in pictures}
    done = {name: unfinished.records[key] for name, key in stamps.items() if key in unfinished.records}
    left = [source for source in pictures if source.name not in done]
    say = functools.partial(print, file=sys.stderr)
    with ThreadPoolExecutor(workers) as pool:
        results: Iterable[Any] = pool.map(tried, left)
        if len(pictures) > 1:
            from tqdm import tqdm  # takes a tenth of a second, which one picture need not wait for

            results = tqdm(results, total=len(pictures), initial=len(done), unit="picture", disable=None)
            say = functools.partial(tqdm.write, file=sys.stderr)
        try:
            for source, result in zip(left, results, strict=True):
                if isinstance(result, InputError):
                    unread[printable(source.name)] = printable(str(result))
                    if tell:
                        say(f"left out: {printable(str(result))}")
                else:
                    done[source.name] = result
                    unfinished.keep(stamps[source.name], result)
        finally:
            pool.shutdown(cancel_futures=True)  # those at work end, none begins
    return [done[source.name] for source in pictures if source.name in done], sorted(unread.items())


def _stamp(source: Source) -> str:
    """Returns what tells a file from another, or from what it was before."""
    try:
        state = source.path.stat()
    except OSError:
        return printable(source.name)
    return f"{state.st_mtime_ns} {state.st_size} {printable(source.name)}"
