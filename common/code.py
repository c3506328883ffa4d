"""Which files of the project a stage runs: what a result follows from, besides its input."""

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)  # may begin with a docstring


def code_hashes(
    module: str, also: Iterable[Path] = (), without: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, str]:
    """Returns the files that a module runs, by their path from the project's folder, with the `code_hash` of each.

    Followed are all imports of the project's own modules, also those inside functions; libraries are not.

    Args:
        module: as `python -m` takes it.
        also: further files that are loaded by name, a network's or a user's.
        without: names of a file's constants that do not count, because what a result takes from them is recorded in
            another way.
    """
    found: dict[Path, None] = {}
    todo = [*files_of(module), *(path.resolve() for path in also)]
    while todo:
        path = todo.pop()
        if path not in found:
            found[path] = None
            todo += imported_files(path)
    return {name: code_hash(path, (without or {}).get(name, ())) for path in sorted(found) for name in [name_of(path)]}


def code_hash(path: Path, without: tuple[str, ...] = ()) -> str:
    """Returns the SHA-256 of what the code in a file does: comments, docstrings and layout do not count.

    Args:
        without: names of constants that do not count either.
    """
    return _hash(path.read_bytes(), without)


@functools.cache  # the pipeline asks for the same files before every stage
def _hash(source: bytes, without: tuple[str, ...]) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # no Python, which running it will tell
        return hashlib.sha256(source).hexdigest()
    tree.body = [node for node in tree.body if not _assigned(node) & {*without}]
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(repr(_plain(tree)).encode()).hexdigest()


def _plain(node: Any) -> Any:
    """Returns a syntax tree as lists, alike under all versions of Python (but for nested f-strings)."""
    if isinstance(node, ast.AST):
        fields = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return type(node).__name__, fields
    return [_plain(item) for item in node] if isinstance(node, list) else node


def _assigned(node: ast.stmt) -> set[str]:
    """Returns the names that a statement assigns to; none where it is no assignment."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def changed_files(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Returns the names of the files that two answers of `code_hashes` do not have alike."""
    return sorted(name for name in before | now if before.get(name) != now.get(name))


def files_of(module: str) -> list[Path]:
    """Returns the files that importing a module of the project runs: its own, and its packages'; none for a library."""
    parts = module.split(".")
    own = ROOT.joinpath(*parts)
    packages = [ROOT.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
    return [path for path in (own.with_suffix(".py"), *packages) if path.is_file()]


def imported_files(path: Path) -> Iterator[Path]:
    """Yields the files of the project that a file imports; none where it is no Python, which running it will tell."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]  # a name may be a module
        else:
            continue
        for name in names:
            yield from files_of(name)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
