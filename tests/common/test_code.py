"""Which code a result follows from."""

from pathlib import Path

from common.code import ROOT, changed_files, code_hashes, imported_files


def test_imports_of_the_project_are_followed_those_of_libraries_are_not() -> None:
    files = code_hashes("training.train")
    assert "training/train.py" in files
    assert "facial_keypoints/keypoint_set.py" in files  # by way of others
    assert not [name for name in files if name.startswith(("evaluation/", "tests/", "/"))]
    assert "training/recipes.py" not in code_hashes("training.train", without=["training.recipes"])


def test_a_network_s_file_counts_with_what_it_imports() -> None:
    assert "models/base.py" not in code_hashes("training.train")
    files = code_hashes("training.train", also=[ROOT / "models" / "v1.py"])
    assert {"models/v1.py", "models/base.py"} <= set(files)


def test_imports_inside_functions_and_of_modules_by_name_count(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def f():\n    from common import hashes\n    import numpy\n")
    names = {path.relative_to(ROOT).as_posix() for path in imported_files(file)}
    assert names == {"common/__init__.py", "common/hashes.py"}
    assert str(file) in code_hashes("common.code", also=[file])  # a user's file by its whole path


def test_a_file_may_be_in_any_encoding_that_python_reads(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_bytes("# -*- coding: latin-1 -*-\nimport common.hashes  # caf\xe9\n".encode("latin-1"))
    assert ROOT / "common" / "hashes.py" in imported_files(file)


def test_a_file_that_is_no_python_counts_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def build(:\n")
    assert str(file) in code_hashes("common.code", also=[file])


def test_changed_new_and_removed_files_are_named() -> None:
    before, now = {"a.py": "1", "b.py": "1", "c.py": "1"}, {"a.py": "1", "b.py": "2", "d.py": "1"}
    assert changed_files(before, now) == ["b.py", "c.py", "d.py"]
