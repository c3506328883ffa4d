"""Scoring with Ray: on a cluster of three nodes of which one is killed, and on this machine, stopped and killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from facial_keypoints.__main__ import main as facial_keypoints
from facial_keypoints.pictures import SUFFIXES
from tests.conftest import HEARING_CTRL_C, ROOT
from tests.facial_keypoints.test_telemetry import Proxy, environment

cluster_utils = pytest.importorskip("ray.cluster_utils")
pytestmark = pytest.mark.long

COPIES = 12  # of each picture, so that a job takes some seconds
WAIT_S = 180
OPTIONS = ("--views", "5")  # slower
# Ray asks the metadata service of the machine's own cloud which cloud it runs in, and contacts nobody else.
METADATA = (b"GET http://169.254.169.254/", b"GET http://metadata.google.internal/")


@pytest.fixture(scope="module")
def many(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with COPIES of the drawn pictures."""
    folder = tmp_path_factory.mktemp("many")
    for copy in range(COPIES):
        shutil.copytree(pictures, folder / str(copy))
    return folder


@pytest.fixture(scope="module")
def predicted(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The results of `facial-keypoints predict` for the pictures of `many`, by file and face."""
    out = tmp_path_factory.mktemp("predicted") / "out"
    clean = tmp_path_factory.mktemp("clean") / "pictures"
    shutil.copytree(pictures, clean, ignore=shutil.ignore_patterns("damaged.jpg"))
    facial_keypoints(["predict", str(clean), "--out", str(out), "--measures", *OPTIONS])
    one = pd.read_csv(out / "keypoints.csv")
    return by_face(pd.concat([one.assign(file=f"{copy}/" + one["file"]) for copy in range(COPIES)]))


def by_face(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["file", "face"], ignore_index=True)


def check(out: Path, many: Path, predicted: pd.DataFrame) -> None:
    """Checks that every picture occurs once, with the same numbers as from `predict`."""
    table = pd.read_parquet(out)
    pictures = [path for path in many.rglob("*") if path.suffix in SUFFIXES]
    assert set(table["file"]) == {path.relative_to(many).as_posix() for path in pictures}
    assert not table.duplicated(["file", "face"]).any()
    faces = table[table["face"].notna()]
    found = by_face(faces.drop(columns="error")).astype({"face": int})
    pd.testing.assert_frame_equal(found, predicted, check_exact=True)
    others = table[table["face"].isna()].set_index("file")["error"]
    assert others.notna().to_dict() == {
        f"{copy}/{name}": name == "damaged.jpg" for copy in range(COPIES) for name in ("damaged.jpg", "gray.png")
    }
    assert {path.name for path in out.iterdir() if path.name.startswith(".")} == set()


def start(folder: Path, out: Path, *more: str, **variables: str) -> subprocess.Popen[str]:
    """Starts the command as a user does."""
    command = [
        sys.executable,
        "-c",
        HEARING_CTRL_C,
        "-m",
        "scale_out.score",
        str(folder),
        "--out",
        str(out),
        *OPTIONS,
        *more,
    ]
    pipe = subprocess.PIPE
    environ = {**os.environ, **variables}
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Waits until a condition holds; fails if the process ends first."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert process is None or process.poll() is None, process and process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def written(out: Path) -> dict[Path, int]:
    """Returns the written parts and their times of modification."""
    return {path: path.stat().st_mtime_ns for path in out.glob("part-*.parquet")}


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes of one CPU each on this machine."""
    small = {"num_cpus": 1, "object_store_memory": 100_000_000}
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    try:
        made.add_node(**small)
        made.add_node(**small)
        yield made
    finally:
        made.shutdown()


def test_job_completes_on_a_cluster_that_loses_one_of_three_nodes(
    cluster: Any, many: Path, predicted: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(many, out, "--address", cluster.address)
    until(lambda: len(written(out)) >= 5, process)
    victim = next(iter(cluster.worker_nodes))
    cluster.remove_node(victim, allow_graceful=False)
    at_death = len(written(out))
    printed, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors
    assert at_death < len(written(out))
    summary = (
        f"{len(predicted)} faces in 168 pictures; no face found in 12 of them; 12 could not be read (column error)"
    )
    assert f"{out}: {summary}\n" in printed  # besides Ray's messages about the dead node
    check(out, many, predicted)


def test_interrupted_and_killed_jobs_keep_their_parts_and_leave_no_process(
    many: Path, predicted: pd.DataFrame, tmp_path: Path
) -> None:
    """The last run is like one after a new installation: empty home folder, no variables; a proxy records requests."""
    out, proxy = tmp_path / "out", Proxy()
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy.address)
    home = tmp_path / "home"
    home.mkdir()
    session = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # short, because names of sockets must be short

    def is_gone() -> bool:
        return not any(session in command_of(process) for process in Path("/proc").glob("[0-9]*"))

    def stop(kind: signal.Signals, code: int, message: str) -> dict[Path, int]:
        """Stops a run by a signal when it has written three parts, and returns when each part was written."""
        before = written(out)
        process = start(many, out, RAY_TMPDIR=session)
        until(lambda: len(written(out)) >= len(before) + 3, process)
        assert not is_gone()
        process.send_signal(kind)
        assert process.communicate(timeout=WAIT_S)[1] == message
        assert process.returncode == code
        until(is_gone)
        now = written(out)
        assert before.items() <= now.items()
        return now

    try:
        stop(signal.SIGINT, 130, "interrupted\n")
        before = stop(signal.SIGKILL, -signal.SIGKILL, "")
        assert len(before) < 21
        process = start(many, out, **environment(home, **proxies, RAY_TMPDIR=session, TMPDIR=session))
        printed, errors = process.communicate(timeout=WAIT_S)
        assert (process.returncode, errors) == (0, "")
        assert printed.startswith(f"{out}: {len(predicted)} faces in 168 pictures; ")
        until(is_gone)
    finally:
        shutil.rmtree(session, ignore_errors=True)
    assert before.items() <= written(out).items()
    check(out, many, predicted)
    assert all(request.startswith(METADATA) for request in proxy.asked)
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["auth_token"]  # Ray's, kept locally


def command_of(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
