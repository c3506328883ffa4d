"""Bad input ends a command with a one-line error and exit code 2."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facial_keypoints.errors import SHORT_CHARACTERS, InputError, one_line, run
from facial_keypoints.pictures import read_picture
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (None, 0, ""),
        (InputError("faces.csv: row 3\nis bad"), 2, "error: faces.csv: row 3 is bad\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/x.npy"),
            2,
            "error: out/x.npy: could not be written completely (No space left on device)",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "out"), 2, "error: out: Permission denied"),
        (OSError(errno.ENAMETOOLONG, "Name too long", "x"), 2, "error: x: Name too long; give a shorter name"),
        (InputError("caf\udce9.png: is bad"), 2, "error: caf\\udce9.png: is bad\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_each_error_has_its_exit_code_and_message(
    error: BaseException | None, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        if error:
            raise error

    with pytest.raises(SystemExit) as stopped:
        run(main)
    assert stopped.value.code == code
    printed = capsys.readouterr().err
    assert printed.startswith(line)
    assert printed.count("\n") == (1 if error else 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_full_disk_is_a_one_line_error(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        with Path("/dev/full").open("wb") as file:
            np.save(file, np.zeros(100_000))

    with pytest.raises(SystemExit) as stopped:
        run(main)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert "free some space" in printed
    assert printed.count("\n") == 1


def test_unexpected_error_keeps_its_traceback() -> None:
    def main() -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    with pytest.raises(OSError, match="Invalid argument"):
        run(main)


def test_one_line_shortens_the_message_of_an_error() -> None:
    assert one_line(ValueError("bad\n\n   shape: (3, 4)")) == "bad shape: (3, 4)"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line(OSError("word " * 1000))) <= SHORT_CHARACTERS


def in_locale_c(code: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a locale in which file names and the terminal are ASCII."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", f"from facial_keypoints.errors import run\n{code}\nrun(main)"]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="ascii", check=False)


def test_output_to_an_ascii_terminal_is_escaped() -> None:
    done = in_locale_c(r"def main(): print('M\u00fcller 15\u00b0')")
    assert (done.stdout, done.returncode) == ("M\\xfcller 15\\xb0\n", 0)


def test_file_name_that_the_locale_cannot_encode_is_a_one_line_error() -> None:
    done = in_locale_c(r"def main(): open('/tmp/M\u00fcller.csv', encoding='utf-8')")
    assert done.returncode == 2
    line = "its name has characters that this locale does not have; set PYTHONUTF8=1"
    assert done.stderr == f"error: /tmp/M\\xfcller.csv: {line}\n"


def test_input_error_can_be_caught_as_value_error() -> None:
    with pytest.raises(ValueError, match=r"missing\.jpg: no such file"):
        read_picture("missing.jpg")
