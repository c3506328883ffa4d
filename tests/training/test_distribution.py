"""Training on several devices or with several processes gives the result of one process with one device."""

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.backend import backend_name
from common.stage import read_manifest
from facial_keypoints.errors import InputError
from models.saved import TRAIN
from tests.conftest import HEARING_CTRL_C, ROOT
from training import distribution
from training.distribution import Shard
from training.train import main, processes_error

only_jax = [
    pytest.mark.any_backend,
    pytest.mark.skipif(backend_name() != "jax", reason="Keras trains over processes with JAX only"),
]
# 64 faces: batches of 14 do not divide by 3, and the last one of each epoch has 8.
RECIPE = ["base", "--epochs", "3", "--batch-size", "14", "--augment", "strong", "--learning-rate", "1e-3"]
STEPS = 15
PROGRAM = """
import os, signal, sys
from common.backend import start_backend
start_backend()
from training import distribution, train
from training.batches import Batches
from training.callbacks import EpochLine
from facial_keypoints.errors import run

def step(self, batch, logs):
    print("step", float(logs["loss"]), flush=True)

def end_at(epoch, number):
    whole = Batches.__getitem__
    def deadly(self, index):
        if self.first_epoch * self.steps + index == epoch * self.steps + 2:
            os.kill(os.getpid(), number)
        return whole(self, index)
    Batches.__getitem__ = deadly

EpochLine.on_train_batch_end = step
{preparation}
run(lambda: train.main(sys.argv[1:]))
"""


class Ended(NamedTuple):
    """How a process finished."""

    code: int
    out: str
    errors: str

    @property
    def losses(self) -> list[float]:
        """The loss after each step, the mean over the steps of its epoch so far."""
        return [float(line.split()[1]) for line in self.out.splitlines() if line.startswith("step")]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def run_processes(
    commands: list[list[str]], preparations: dict[int, str] | None = None, variables: list[dict[str, str]] | None = None
) -> list[Ended]:
    """Runs training processes side by side, process I with command I, and returns how they finished."""
    started = []
    for number, command in enumerate(commands):
        program = PROGRAM.format(preparation=(preparations or {}).get(number, ""))
        environment = os.environ | (variables[number] if variables else {})
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", HEARING_CTRL_C, "-c", program, *command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        outputs = [process.communicate(timeout=400) for process in started]
    finally:
        for process in started:
            process.kill()
    return [Ended(process.returncode, *output) for process, output in zip(started, outputs, strict=True)]


def process_commands(count: int, arguments: list[str], own: dict[int, list[str]] | None = None) -> list[list[str]]:
    """Returns the commands of processes; `own` has further arguments of some."""
    address = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", str(count)]
    return [
        [*arguments, *address, "--process-id", str(number), *(own or {}).get(number, [])] for number in range(count)
    ]


def history(folder: Path) -> list[dict[str, float]]:
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


@given(st.integers(1, 70), st.integers(1, 5), st.integers(1, 4))
def test_shards_have_each_face_once_and_repeat_faces_to_equal_size(faces: int, processes: int, devices: int) -> None:
    parts = [Shard(process, processes, devices).rows(faces) for process in range(processes)]
    assert {len(rows) for rows, _ in parts} == {devices * -(-faces // (devices * processes))}
    assert [int(row) for rows, counted in parts for row in rows[counted]] == list(range(faces))
    assert all(((rows >= 0) & (rows < faces)).all() for rows, _ in parts)


def test_shards_of_seven_faces_match_hand_calculation() -> None:
    parts = [Shard(process, processes=3).rows(7) for process in range(3)]
    assert [(rows.tolist(), counted.tolist()) for rows, counted in parts] == [
        ([0, 1, 2], [True] * 3),
        ([3, 4, 5], [True] * 3),
        ([6, 0, 1], [True, False, False]),
    ]


class TestSeveralDevices:
    """The same training on one device, on three devices of one process, and with two and three processes."""

    pytestmark = only_jax

    @pytest.fixture(scope="class")
    def runs(self, small_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Ended, Path]]:
        folder = tmp_path_factory.mktemp("runs")
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=3"
        finished = {}
        for name, count in (("one", 1), ("three devices", 1), ("two processes", 2), ("three processes", 3)):
            command = [*RECIPE, "--data", str(small_data), "--out", str(folder / name)]
            commands = [command] if count == 1 else process_commands(count, command)
            variables = [{"XLA_FLAGS": flags}] if name == "three devices" else None
            first, *others = run_processes(commands, variables=variables)
            assert [first.code, *(other.code for other in others)] == [0] * count, first.errors
            assert [line for other in others for line in other.out.splitlines() if "Gloo" not in line] == []
            finished[name] = (first, folder / name)
        return finished

    @pytest.mark.parametrize(("name", "devices"), [("three devices", 3), ("two processes", 2), ("three processes", 3)])
    def test_several_devices_have_the_losses_of_one_device(
        self, runs: dict[str, tuple[Ended, Path]], name: str, devices: int
    ) -> None:
        (alone, one), (several, folder) = runs["one"], runs[name]
        assert len(alone.losses) == STEPS
        full = [step for step in range(STEPS) if step % 5 != 4]  # in the last, Keras weighs repeated faces as well
        np.testing.assert_allclose(np.take(several.losses, full), np.take(alone.losses, full), rtol=1e-4)
        for ours, theirs in zip(history(folder), history(one), strict=True):
            assert ours["val_loss"] == pytest.approx(theirs["val_loss"], rel=1e-4)
            assert ours["val_mae"] == pytest.approx(theirs["val_mae"], rel=1e-4)
        assert f"on {devices} devices of " in several.out
        assert "devices of" not in alone.out
        assert read_manifest(folder, TRAIN)["devices"] == devices

    def test_interrupted_and_killed_processes_resume_to_the_uninterrupted_result(
        self, runs: dict[str, tuple[Ended, Path]], small_data: Path, tmp_path: Path
    ) -> None:
        uninterrupted, out = runs["two processes"][1], tmp_path / "broken"
        command = [*RECIPE, "--data", str(small_data), "--out", str(out)]
        for resume, epoch, number, code in (([], 1, "SIGINT", 130), (["--resume"], 2, "SIGKILL", -9)):
            stop = {1: f"end_at({epoch}, signal.{number})"}
            first, second = run_processes(process_commands(2, [*command, *resume]), stop)
            assert (first.code, second.code) == (2, code)
            assert "error: lost another process (" in first.errors
            assert "; start all again, with --resume\n" in first.errors
            assert not out.exists()
        first, second = run_processes(process_commands(2, [*command, "--resume"]))
        assert (first.code, second.code) == (0, 0)
        assert "resuming after epoch 2\n" in first.out
        assert (out / "history.csv").read_bytes() == (uninterrupted / "history.csv").read_bytes()
        weights = [
            keras.saving.load_model(f / "model.keras", compile=False).get_weights() for f in (out, uninterrupted)
        ]
        assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


class TestStartErrors:
    """An error at the start ends every process with one line."""

    pytestmark = only_jax

    def test_processes_with_different_data_and_recipe_are_rejected(
        self, small_data: Path, data_48: Path, tmp_path: Path
    ) -> None:
        command = [*RECIPE, "--data", str(small_data), "--out", str(tmp_path / "out")]
        other = {1: ["--data", str(data_48), "--learning-rate", "1e-2"]}
        for finished in run_processes(process_commands(2, command, other)):
            assert finished.code == 2
            assert "error: process 1 differs from process 0: learning_rate 0.01, not 0.001, data " in finished.errors
        assert list(tmp_path.iterdir()) == []

    def test_error_of_one_process_ends_all_processes(self, small_data: Path, tmp_path: Path) -> None:
        """The address and the numbers come from Slurm."""
        command = [*RECIPE, "--out", str(tmp_path / "out"), "--coordinator", "auto"]
        commands = [[*command, "--data", str(folder)] for folder in (small_data, tmp_path / "none")]
        job = {"SLURM_JOB_ID": str(free_port()), "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_NTASKS": "2"}
        variables = [job | {"SLURM_PROCID": str(number), "SLURM_LOCALID": "0"} for number in range(2)]
        first, second = run_processes(commands, variables=variables)
        assert (first.code, second.code) == (2, 2)
        assert f"error: process 1: {tmp_path / 'none'}: no such folder; make it with" in first.errors
        assert f"error: {tmp_path / 'none'}: no such folder; make it with" in second.errors

    def test_missing_processes_and_a_used_port_are_reported(self, small_data: Path, tmp_path: Path) -> None:
        command = [*RECIPE, "--data", str(small_data), "--out", str(tmp_path / "out")]
        impatient = {0: "distribution.JOIN_S = 1"}
        for alone in process_commands(2, command):
            (finished,) = run_processes([alone], impatient)
            assert finished.code == 2
            assert "not all processes were there after 1 s; start all of them" in finished.errors
        with socket.create_server(("", 0)) as server:
            address = f"127.0.0.1:{server.getsockname()[1]}"
            arguments = ["--coordinator", address, "--processes", "2", "--process-id", "0"]
            (finished,) = run_processes([[*command, *arguments]])
        assert finished.code == 2
        assert f"error: --coordinator {address}: the port cannot be used (Address already in use)" in finished.errors


@pytest.mark.skipif(backend_name() == "jax", reason="JAX can")
def test_other_backends_are_rejected(small_data: Path, tmp_path: Path) -> None:
    arguments = ["--coordinator", "127.0.0.1:1234", "--processes", "2", "--process-id", "0"]
    with pytest.raises(InputError, match=r"--coordinator: needs JAX, and the backend is tensorflow; install"):
        main([*RECIPE, "--data", str(small_data), "--out", str(tmp_path / "out"), *arguments])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((None, 2, None), "need --coordinator HOST:PORT"),
        (("auto", 2, None), "need --coordinator HOST:PORT"),
        (("a:1", 2, None), "needs --processes and --process-id"),
        (("a:1", 2, 2), "--process-id 2: is not between 0 and 1"),
        (("a:1", 2, -1), "--process-id -1: is not between 0 and 1"),
    ],
)
def test_incomplete_or_invalid_process_options_are_rejected(
    options: tuple[str | None, int | None, int | None], message: str
) -> None:
    assert message in processes_error(*options)


@pytest.mark.parametrize("address", ["host", "host:", ":123", "host:0", "host:65536", "host:x"])
def test_coordinator_address_needs_host_and_port(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["base", "--coordinator", address])
    assert f"{address} is not HOST:PORT or auto" in capsys.readouterr().err


def test_a_single_process_exchanges_with_itself_and_raises_its_own_error() -> None:
    assert distribution.exchange("text") == ["text"]
    with distribution.agreed() as facts:
        facts["epochs"] = 3
    with pytest.raises(InputError, match=r"^mine$"), distribution.agreed():
        raise InputError("mine")
    assert distribution.differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == "b 2, not 3, c None, not 4"
