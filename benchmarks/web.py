"""Soak test of the web page: sends many parallel requests to its API; measures errors, time and memory.

    .venv-web/bin/python -m benchmarks.web [--requests 1000] [--at-once 8]

Needs the environment of `make test-web`, and Linux, because it reads memory from /proc.
"""

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common.options import stage_parser
from web.examples import write_examples

STEPS = 10  # of the run; memory is read after each


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the number of failed requests, the seconds per request, and the server's memory over time."""
    parser = stage_parser("benchmarks.web", __doc__, "--requests 100")
    parser.add_argument("--requests", type=int, default=1000, metavar="N", help="number (default: %(default)s)")
    parser.add_argument(
        "--at-once", type=int, default=8, metavar="N", help="clients in parallel (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_examples(Path(folder))
        command = [sys.executable, "-m", "web.app", "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as server:
            try:
                assert server.stdout is not None
                soak(server.stdout.readline().split()[0], server.pid, pictures, options.requests, options.at_once)
            finally:
                server.send_signal(signal.SIGTERM)


def soak(url: str, server: int, pictures: list[Path], requests: int, at_once: int) -> None:
    """Sends the requests in STEPS equal portions and prints a line after each."""
    from gradio_client import Client, handle_file

    clients = [connect(Client, url) for _ in range(at_once)]
    errors: list[str] = []
    seconds: list[float] = []

    def request(number: int) -> None:
        start = time.perf_counter()
        try:
            picture, filter = pictures[number % len(pictures)], ("none", "hat", "blur")[number % 3]
            sentence = clients[number % at_once].predict(handle_file(str(picture)), "v2", filter, api_name="/predict")[
                1
            ]
            if "face" not in sentence:
                errors.append(sentence)
        except Exception as error:  # every kind of error counts
            errors.append(repr(error))
        seconds.append(time.perf_counter() - start)

    print(f"requests 0, memory {memory_mb(server):.0f} MB")
    with ThreadPoolExecutor(at_once) as pool:
        for step in range(STEPS):
            batch = range(requests * step // STEPS, requests * (step + 1) // STEPS)
            list(pool.map(request, batch))
            took = f"median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s"
            print(f"requests {batch.stop}, errors {len(errors)}, memory {memory_mb(server):.0f} MB, {took}", flush=True)
    cpu_s = sum(map(int, Path(f"/proc/{server}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]))
    print(f"the server's CPU time: {1000 * cpu_s / os.sysconf('SC_CLK_TCK') / requests:.0f} ms per request")
    for error in sorted(set(errors)):
        print(f"{errors.count(error)} x {error}")


def connect(client: Any, url: str) -> Any:
    """Waits for the server and returns a client with its own session."""
    for _ in range(600):
        try:
            return client(url, verbose=False, analytics_enabled=False, httpx_kwargs={"timeout": 120})
        except Exception:
            time.sleep(0.1)
    raise SystemExit(f"{url}: does not answer")


def memory_mb(process: int) -> float:
    """Returns the resident memory of a process."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="utf-8"))
    assert match is not None
    return int(match[1]) / 1024


if __name__ == "__main__":
    main()
