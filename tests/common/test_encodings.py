"""Text is read and written as UTF-8 whatever the locale: every call that opens a text file names its encoding.

The linter has such a rule (PLW1514), but it checks only objects that it knows to be paths, a tenth of all calls.
"""

import ast

import pytest

from tests.conftest import project_files

TEXT_FROM = {
    "read_text": 0,
    "write_text": 1,
}  # calls that open a text file, and the position of their encoding argument
BINARY = ("archive.open(", "os.open(", "Image.open(")  # calls that do not open a text file


def without_encoding(source: str) -> list[str]:
    """Returns the calls in the code that open a text file in the encoding of the locale."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    texts = [ast.get_source_segment(source, call) or "" for call in calls if opens_text(call)]
    return [text for text in texts if not text.startswith(BINARY)]


def opens_text(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if {"encoding", None} & {keyword.arg for keyword in call.keywords}:
        return False
    if name in TEXT_FROM:
        return len(call.args) <= TEXT_FROM[name]
    if name != "open":
        return False
    at = 0 if isinstance(call.func, ast.Attribute) else 1
    given = [*call.args[at : at + 1], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    mode = given[0] if given else ast.Constant("r")
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" not in mode.value


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open('a')", True),
        ("open('a', 'rb')", False),
        ("open('a', mode='w', encoding='utf-8')", False),
        ("path.open('w', newline='')", True),
        ("path.open('wb')", False),
        ("path.read_text()", True),
        ("path.read_text('utf-8')", False),
        ("path.write_text('a')", True),
        ("path.write_text('a', encoding='utf-8')", False),
        ("os.open(os.devnull, os.O_WRONLY)", False),
    ],
)
def test_calls_without_an_encoding_are_found(code: str, found: bool) -> None:
    assert without_encoding(code) == ([code] if found else [])


def test_every_text_file_is_opened_with_an_encoding() -> None:
    found = {file: without_encoding(file.read_text(encoding="utf-8")) for file in project_files()}
    assert not any(found.values()), {file: calls for file, calls in found.items() if calls}
