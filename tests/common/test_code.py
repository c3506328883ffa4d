"""Which code a result follows from."""

from pathlib import Path

import pytest

from common.code import ROOT, changed_files, code_hash, code_hashes, imported_files
from common.stage import RECORDED_OTHERWISE, stage_code
from models.saved import TRAIN

CODE = """
RATES = {"slow": 1, "fast": 2}


def rate(name: str) -> int:
    return RATES[name]


class Empty:
    pass
"""
SAME = '''"""What it is for."""
RATES = {
    "slow": 1,  # px
    "fast": 2,
}
def rate(name: str) -> int:
    """Returns
    a rate."""
    return RATES[name]
class Empty:
    """Nothing."""
'''


def test_imports_of_the_project_are_followed_those_of_libraries_are_not() -> None:
    files = code_hashes("training.train")
    assert "training/train.py" in files
    assert "facial_keypoints/keypoint_set.py" in files  # by way of others
    assert not [name for name in files if name.startswith(("evaluation/", "tests/", "/"))]


def test_a_network_s_file_counts_with_what_it_imports() -> None:
    assert "models/base.py" not in code_hashes("training.train")
    files = code_hashes("training.train", also=[ROOT / "models" / "v1.py"])
    assert {"models/v1.py", "models/base.py"} <= set(files)


def test_imports_inside_functions_and_of_modules_by_name_count(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def f():\n    from common import hashes\n    import numpy\n", encoding="utf-8")
    names = {path.relative_to(ROOT).as_posix() for path in imported_files(file)}
    assert names == {"common/__init__.py", "common/hashes.py"}
    assert str(file) in code_hashes("common.code", also=[file])  # a user's file by its whole path


def test_a_file_may_be_in_any_encoding_that_python_reads(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes("# -*- coding: latin-1 -*-\nimport common.hashes  # caf\xe9\n".encode("latin-1"))
    assert ROOT / "common" / "hashes.py" in imported_files(file)


def test_a_file_that_is_no_python_counts_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def build(:\n", encoding="utf-8")
    assert str(file) in code_hashes("common.code", also=[file])


def hash_of(text: str, tmp_path: Path, without: tuple[str, ...] = ()) -> str:
    file = tmp_path / "mine.py"
    file.write_text(text, encoding="utf-8")
    return code_hash(file, without)


def test_comments_docstrings_and_layout_do_not_count(tmp_path: Path) -> None:
    assert hash_of(SAME, tmp_path) == hash_of(CODE, tmp_path)


@pytest.mark.parametrize("change", [("2", "3"), ("name]", "'slow']"), ("str)", "bytes)"), ("Empty:", "Empty(dict):")])
def test_whatever_the_code_does_counts(change: tuple[str, str], tmp_path: Path) -> None:
    assert hash_of(CODE.replace(*change), tmp_path) != hash_of(CODE, tmp_path)


def test_a_constant_that_is_recorded_otherwise_does_not_count_the_rest_of_its_file_does(tmp_path: Path) -> None:
    before = hash_of(CODE, tmp_path, ("RATES",))
    assert hash_of(CODE.replace("2", "3"), tmp_path, ("RATES",)) == before
    assert hash_of(CODE.replace("RATES =", "RATES: dict[str, int] ="), tmp_path, ("RATES",)) == before
    assert hash_of(CODE.replace("name]", "'slow']"), tmp_path, ("RATES",)) != before


def test_the_recipes_values_are_recorded_otherwise() -> None:
    """Where the constant had another name, one recipe's change would make the models of all others stale."""
    name, file = "training/recipes.py", ROOT / "training" / "recipes.py"
    assert {name: ("RECIPES",)} == RECORDED_OTHERWISE
    assert stage_code(TRAIN)[name] == code_hash(file, ("RECIPES",)) != code_hash(file)


def test_changed_new_and_removed_files_are_named() -> None:
    before, now = {"a.py": "1", "b.py": "1", "c.py": "1"}, {"a.py": "1", "b.py": "2", "d.py": "1"}
    assert changed_files(before, now) == ["b.py", "c.py", "d.py"]
