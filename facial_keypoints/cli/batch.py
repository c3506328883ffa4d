"""Fills an output folder picture by picture, for `predict`, `filter` and `align`; resumes killed runs."""

import argparse
import contextlib
import errno
import functools
import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2

from facial_keypoints.cli.inputs import Input, check_name
from facial_keypoints.cli.resume import Unfinished
from facial_keypoints.errors import InputError, printable
from facial_keypoints.folders import write_rows
from facial_keypoints.predictor import Predictor

UNREAD = "unread.csv"  # the pictures that could not be read
MAX_WORKERS = 1024
# Options that change no result of a picture, or that `_settings` records in another form.
NO_SETTINGS = ("main", "out", "overwrite", "inputs", "model", "workers", "write_coco", "review")

Work = Callable[[Input, Path], Any]


def _refuse_clip(clip: Input, _: Path) -> None:
    raise InputError(f"{clip.path}: is a clip; give pictures")


def check_new(out: Path) -> None:
    """Raises InputError if `out` exists and is not an empty folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists already; choose another --out or delete it")


def predictor_of(options: argparse.Namespace, pictures: Sequence[Input]) -> Predictor:
    """Returns the predictor that the options name; it uses one thread per worker, or all of them for one picture.

    Raises:
        InputError: as `Predictor`, or the number of workers is out of range.
    """
    if not 1 <= options.workers <= MAX_WORKERS:
        raise InputError(f"--workers {options.workers}: must be 1 to {MAX_WORKERS}")
    threads = 1 if len(pictures) > 1 else options.workers  # one per picture is faster than several per picture
    cv2.setNumThreads(threads)
    return Predictor(options.model, threads=threads, views=options.views)


def fill_folder(
    options: argparse.Namespace,
    predictor: Predictor,
    pictures: Sequence[Input],
    clips: Sequence[Input] = (),
    *,
    of_picture: Work,
    finish: Callable[[Path, list[Any], list[Any]], str],
    of_clip: Work = _refuse_clip,
    more_settings: str = "",
) -> None:
    """Writes `--out` whole or not at all and prints a summary; the same command resumes a killed run.

    Args:
        of_picture: reads a picture and writes its files into a folder; several threads call it. Returns JSON values.
        finish: writes the tables from what `of_picture` and `of_clip` returned, in order; returns the summary.
        of_clip: reads a clip and writes its files; returns JSON values other than None.
        more_settings: what else the results depend on, besides the options, the network and the inputs.

    Raises:
        InputError: no picture could be read; or some could not, after all others were written.
    """
    settings = _settings(options, predictor, [*pictures, *clips], more_settings)
    with contextlib.closing(Unfinished(options.out, settings)) as unfinished:
        report = len(pictures) + len(clips) > 1
        done, unread = _each_picture(pictures, of_picture, unfinished, options.workers, report=report)
        of_clips = []
        for clip in clips:
            if (key := _stamp(clip)) not in unfinished.records:
                unfinished.keep(key, of_clip(clip, unfinished.folder))
            of_clips.append(unfinished.records[key])
        if unread and not (done or clips):
            unfinished.discard()
            raise InputError(unread[0][1] if len(unread) == 1 else f"none of {len(unread)} pictures could be read")
        summary = finish(unfinished.folder, done, of_clips)
        if unread:
            write_rows(unfinished.folder / UNREAD, [("file", "reason"), *unread])
        unfinished.finish()
    print(f"{options.out}: {summary}")
    if unread:
        raise InputError(f"{options.out / UNREAD}: {len(unread)} of {len(pictures)} pictures could not be read")


def _settings(options: argparse.Namespace, predictor: Predictor, inputs: Sequence[Input], more: str) -> dict[str, Any]:
    """Returns everything that the results depend on, as JSON values; a run resumes only a run with equal settings."""
    option_values = {name: str(value) for name, value in vars(options).items() if name not in NO_SETTINGS}
    model = hashlib.sha256(predictor.path.read_bytes()).hexdigest()
    paths = [(file.name, str(file.path.resolve())) for file in inputs]
    command, several = options.main.__module__, options.workers > 1
    return {**option_values, "command": command, "model": model, "several": several, "inputs": paths, "more": more}


def _each_picture(
    pictures: Sequence[Input], work: Work, unfinished: Unfinished, workers: int, *, report: bool
) -> tuple[list[Any], list[tuple[str, str]]]:
    """Does the work on each picture that no earlier run has finished.

    Returns the results for all pictures in order, and the names of unreadable pictures, each with the reason.

    Args:
        report: whether to print the unreadable pictures to stderr, too.
    """

    def attempt(picture: Input) -> Any:
        try:
            check_name(picture)
            return work(picture, unfinished.folder)
        except InputError as error:  # one bad picture of many does not stop the others
            return error
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return InputError(f"{picture.path}: the name of its output would be too long; give it a shorter name")

    unread: dict[str, str] = {}
    stamps = {picture.name: _stamp(picture) for picture in pictures}
    done = {name: unfinished.records[key] for name, key in stamps.items() if key in unfinished.records}
    todo = [picture for picture in pictures if picture.name not in done]
    write_line = functools.partial(print, file=sys.stderr)
    with ThreadPoolExecutor(workers) as pool:
        results: Iterable[Any] = pool.map(attempt, todo)
        if len(pictures) > 1:
            from tqdm import tqdm  # its import takes a tenth of a second; one picture does not need it

            results = tqdm(results, total=len(pictures), initial=len(done), unit="picture", disable=None)
            write_line = functools.partial(tqdm.write, file=sys.stderr)
        try:
            for picture, result in zip(todo, results, strict=True):
                if isinstance(result, InputError):
                    unread[printable(picture.name)] = printable(str(result))
                    if report:
                        write_line(f"skipped: {printable(str(result))}")
                else:
                    done[picture.name] = result
                    unfinished.keep(stamps[picture.name], result)
        finally:
            pool.shutdown(cancel_futures=True)  # finishes pictures in progress and starts no others
    return [done[picture.name] for picture in pictures if picture.name in done], sorted(unread.items())


def _stamp(file: Input) -> str:
    """Returns a key that changes with the file's name, size or time of modification."""
    try:
        state = file.path.stat()
    except OSError:
        return printable(file.name)
    return f"{state.st_mtime_ns} {state.st_size} {printable(file.name)}"
