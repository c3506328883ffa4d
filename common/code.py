"""Finds and hashes the project files that a stage runs: its result depends on them as well as on its input."""

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_hashes(
    module: str, also: Iterable[Path] = (), without: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, str]:
    """Returns the `code_hash` of each file that a module runs, by its path in the project.

    Follows all imports of project modules, including those inside functions, but not those of libraries.

    Args:
        module: its name, as for `python -m`.
        also: further files that are loaded by name, as those of networks are.
        without: names of constants to ignore, by file, because their values are recorded elsewhere.
    """
    files: dict[Path, None] = {}
    todo = [*files_of(module), *(path.resolve() for path in also)]
    while todo:
        path = todo.pop()
        if path not in files:
            files[path] = None
            todo += imported_files(path)
    return {name: code_hash(path, (without or {}).get(name, ())) for path in sorted(files) for name in [name_of(path)]}


def code_hash(path: Path, without: tuple[str, ...] = ()) -> str:
    """Returns the SHA-256 of the code in a file; ignores comments, docstrings and layout.

    Args:
        without: names of constants to ignore, too.
    """
    return _hash(path.read_bytes(), without)


@functools.cache  # the pipeline hashes the same files before every stage
def _hash(source: bytes, without: tuple[str, ...]) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # not valid Python, which running it reports
        return hashlib.sha256(source).hexdigest()
    tree.body = [node for node in tree.body if not _assigned_names(node) & {*without}]
    for node in ast.walk(tree):
        if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(repr(_as_lists(tree)).encode()).hexdigest()


def _as_lists(node: Any) -> Any:
    """Returns a syntax tree as lists, which are the same in all versions of Python (except for nested f-strings)."""
    if isinstance(node, ast.AST):
        fields = [
            (name, _as_lists(value)) for name, value in ast.iter_fields(node) if value is not None and value != []
        ]
        return type(node).__name__, fields
    return [_as_lists(item) for item in node] if isinstance(node, list) else node


def _assigned_names(node: ast.stmt) -> set[str]:
    """Returns the names that a statement assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def changed_files(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Returns the names of the files that differ between two results of `code_hashes`."""
    return sorted(name for name in before | now if before.get(name) != now.get(name))


def files_of(module: str) -> list[Path]:
    """Returns the project files that importing a module runs: its own and those of its packages; none for a library."""
    parts = module.split(".")
    stem = ROOT.joinpath(*parts)
    packages = [ROOT.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
    return [path for path in (stem.with_suffix(".py"), *packages) if path.is_file()]


def imported_files(path: Path) -> Iterator[Path]:
    """Yields the project files that a file imports; none if it is not valid Python, which running it reports."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]  # a name can be a module
        else:
            continue
        for name in names:
            yield from files_of(name)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
