"""The project files that a stage runs. A result depends on them as well as on its input."""

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

    It follows all imports of the project's own modules, also those inside functions, but not those of libraries.

    Args:
        module: as `python -m` takes it.
        also: further files that are loaded by name: those of networks.
        without: constants of a file that do not count, because their values are recorded elsewhere.
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
    """Returns the SHA-256 of the code in a file; comments, docstrings and layout do not count.

    Args:
        without: names of constants that do not count either.
    """
    return _hash(path.read_bytes(), without)


@functools.cache  # the pipeline asks for the same files before every stage
def _hash(source: bytes, without: tuple[str, ...]) -> str:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # not Python; running it reports that
        return hashlib.sha256(source).hexdigest()
    tree.body = [node for node in tree.body if not _assigned(node) & {*without}]
    for node in ast.walk(tree):
        if isinstance(node, WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(repr(_plain(tree)).encode()).hexdigest()


def _plain(node: Any) -> Any:
    """Returns a syntax tree as lists, which are equal under all versions of Python (except for nested f-strings)."""
    if isinstance(node, ast.AST):
        fields = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return type(node).__name__, fields
    return [_plain(item) for item in node] if isinstance(node, list) else node


def _assigned(node: ast.stmt) -> set[str]:
    """Returns the names that a statement assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def changed_files(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Returns the names of the files that differ between two results of `code_hashes`."""
    return sorted(name for name in before | now if before.get(name) != now.get(name))


def files_of(module: str) -> list[Path]:
    """Returns the files that importing a module runs: its own and those of its packages; none for a library."""
    parts = module.split(".")
    own = ROOT.joinpath(*parts)
    packages = [ROOT.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)]
    return [path for path in (own.with_suffix(".py"), *packages) if path.is_file()]


def imported_files(path: Path) -> Iterator[Path]:
    """Yields the project files that a file imports; none if it is not Python, which running it reports."""
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
