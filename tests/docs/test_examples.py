"""The Python examples of README and guide run; the README shows the output of its example."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def examples(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs code as a script in a folder that has the pictures of the examples."""
    for name in ("docs/example.jpg", "photo.jpg", "holiday/a.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "docs" / "example.jpg", folder / name)
    script = folder / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{code}", encoding="utf-8")
    return subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=False)


def test_the_readme_example_prints_the_output_shown(tmp_path: Path) -> None:
    (code,) = examples(ROOT / "README.md")
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition(code)[2]
    expected = re.match(r"```\n\n```\n(.*?)```", text, flags=re.DOTALL)
    assert expected is not None
    assert run(code, tmp_path).stdout == expected[1]


@pytest.mark.long
@pytest.mark.parametrize(("page", "number"), [("python", 0), ("python", 1), ("python", 2)])
def test_guide_examples_run_without_errors(page: str, number: int, tmp_path: Path) -> None:
    """The Haar cascade replaces YuNet, whose file would have to be downloaded."""
    code = examples(ROOT / "docs" / f"{page}.md")[number]
    done = run(code.replace("YuNet", "Haar"), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_unknown_execution_provider_is_named_in_the_error(tmp_path: Path) -> None:
    code = "from facial_keypoints import Predictor\n" + examples(ROOT / "docs" / "python.md")[3]
    done = run(code.replace("CUDAExecutionProvider", "NoSuchProvider"), tmp_path)
    assert "InputError: providers: NoSuchProvider" in done.stderr
