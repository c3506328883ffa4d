"""Hashes of the code that a result depends on."""

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


def test_imports_of_the_project_are_hashed_but_not_those_of_libraries() -> None:
    files = code_hashes("training.train")
    assert "training/train.py" in files
    assert "facial_keypoints/keypoint_set.py" in files  # imported indirectly
    assert not [name for name in files if name.startswith(("evaluation/", "tests/", "/"))]


def test_network_file_is_hashed_with_its_imports() -> None:
    assert "models/base.py" not in code_hashes("training.train")
    files = code_hashes("training.train", also=[ROOT / "models" / "v1.py"])
    assert {"models/v1.py", "models/base.py"} <= set(files)


def test_imports_inside_functions_and_from_packages_are_followed(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def f():\n    from common import hashes\n    import numpy\n", encoding="utf-8")
    names = {path.relative_to(ROOT).as_posix() for path in imported_files(file)}
    assert names == {"common/__init__.py", "common/hashes.py"}
    assert str(file) in code_hashes("common.code", also=[file])  # a user's file is listed with its full path


def test_file_with_an_encoding_declaration_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes("# -*- coding: latin-1 -*-\nimport common.hashes  # caf\xe9\n".encode("latin-1"))
    assert ROOT / "common" / "hashes.py" in imported_files(file)


def test_file_with_a_syntax_error_is_still_hashed(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def build(:\n", encoding="utf-8")
    assert str(file) in code_hashes("common.code", also=[file])


def hash_of(text: str, tmp_path: Path, without: tuple[str, ...] = ()) -> str:
    file = tmp_path / "mine.py"
    file.write_text(text, encoding="utf-8")
    return code_hash(file, without)


def test_hash_ignores_comments_docstrings_and_layout(tmp_path: Path) -> None:
    assert hash_of(SAME, tmp_path) == hash_of(CODE, tmp_path)


@pytest.mark.parametrize("change", [("2", "3"), ("name]", "'slow']"), ("str)", "bytes)"), ("Empty:", "Empty(dict):")])
def test_hash_changes_when_the_code_changes(change: tuple[str, str], tmp_path: Path) -> None:
    assert hash_of(CODE.replace(*change), tmp_path) != hash_of(CODE, tmp_path)


def test_hash_leaves_out_only_the_named_constant(tmp_path: Path) -> None:
    before = hash_of(CODE, tmp_path, ("RATES",))
    assert hash_of(CODE.replace("2", "3"), tmp_path, ("RATES",)) == before
    assert hash_of(CODE.replace("RATES =", "RATES: dict[str, int] ="), tmp_path, ("RATES",)) == before
    assert hash_of(CODE.replace("name]", "'slow']"), tmp_path, ("RATES",)) != before


def test_hash_of_the_training_code_leaves_out_the_recipes() -> None:
    """If the constant had another name, a change to one recipe would make the models of all others stale."""
    name, file = "training/recipes.py", ROOT / "training" / "recipes.py"
    assert {name: ("RECIPES",)} == RECORDED_OTHERWISE
    assert stage_code(TRAIN)[name] == code_hash(file, ("RECIPES",)) != code_hash(file)


def test_changed_files_lists_changed_new_and_removed_files() -> None:
    before, now = {"a.py": "1", "b.py": "1", "c.py": "1"}, {"a.py": "1", "b.py": "2", "d.py": "1"}
    assert changed_files(before, now) == ["b.py", "c.py", "d.py"]
