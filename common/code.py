"""Which files of the project a stage runs: what a result follows from, besides its input."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.hashes import file_hash

ROOT = Path(__file__).parents[1]


def code_hashes(module: str, also: Iterable[Path] = (), without: Iterable[str] = ()) -> dict[str, str]:
    """Returns the files that a module runs, by their path from the project's folder, with the SHA-256 of each.

    Followed are all imports of the project's own modules, also those inside functions; libraries are not.

    Args:
        module: as `python -m` takes it.
        also: further files that are loaded by name, a network's or a user's.
        without: modules that do not count, because what a result takes from them is recorded in another way.
    """
    found: dict[Path, None] = {}
    todo = [*files_of(module), *(path.resolve() for path in also)]
    left_out = {path for name in without for path in files_of(name)}
    while todo:
        path = todo.pop()
        if path not in found and path not in left_out:
            found[path] = None
            todo += imported_files(path)
    return {name_of(path): file_hash(path) for path in sorted(found)}


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
