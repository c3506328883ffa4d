"""Measures the time and the memory of processes."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

SAMPLE_S = 0.1


def peak_mb(usage: resource.struct_rusage | None = None) -> float:
    """Returns the peak memory in MB of this process, or of one for which `run_measured` returned `usage`."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return (usage or resource.getrusage(resource.RUSAGE_SELF)).ru_maxrss * unit / 1e6


def run_measured(
    command: Sequence[str], stdout: int | None = None, watch: Callable[[int], None] | None = None
) -> tuple[float, resource.struct_rusage]:
    """Runs a command; returns its wall seconds and its use of resources.

    Args:
        command: a program and its arguments.
        stdout: as in `subprocess`.
        watch: called with the number of the process every tenth of a second while it runs.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=stdout)
    pid = 0
    while not pid:
        if watch:
            watch(process.pid)
            time.sleep(SAMPLE_S)
        pid, status, usage = os.wait4(process.pid, os.WNOHANG if watch else 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Runs a function in a new process, because on Linux its memory would count as that of the next child."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
