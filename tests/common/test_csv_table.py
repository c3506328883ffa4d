"""CSV files from users: each form that common programs write is read, and each fault is reported with its line."""

import codecs
import logging
import math
from pathlib import Path

import pytest

from common.csv_table import number, read_lines, read_table, row_number, whole_number
from facial_keypoints.errors import InputError

PLAIN = "name,x,y\nZoë,1.5,2\nJosé,-3.25,4e1\n"
GERMAN = PLAIN.replace(",", ";").replace(".", ",")


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_line_numbers_count_blank_lines_and_line_breaks_in_cells(tmp_path: Path) -> None:
    text = '\ufeffrow, name \r\n\r\n3,"Lee,\r\nAnn"\r\n,\r\n \r\n4,Bo'  # with the byte order mark of a spreadsheet
    header, body = read_lines(write(tmp_path, text))
    assert header == ["row", "name"]
    assert body == [(4, ["3", "Lee,\r\nAnn"]), (7, ["4", "Bo"])]
    assert [line for line, _ in read_table(write(tmp_path, text), skip_empty=False).lines] == [4, 5, 7]


FORMS: dict[str, str | bytes] = {
    "commas": PLAIN,
    "a byte order mark": PLAIN.encode("utf-8-sig"),
    "semicolons": PLAIN.replace(",", ";"),
    "semicolons and decimal commas": GERMAN,
    "tabs": PLAIN.replace(",", "\t"),
    "tabs and decimal commas": GERMAN.replace(";", "\t"),
    "bars": PLAIN.replace(",", "|"),
    "spaces after commas": PLAIN.replace(",", ", "),
    "all quoted": "\n".join('"' + line.replace(",", '","') + '"' for line in PLAIN.splitlines()),
    "a separator line": "sep=;\r\n" + GERMAN.replace("\n", "\r\n"),
    "Windows line endings": PLAIN.replace("\n", "\r\n"),
    "classic Mac line endings": PLAIN.replace("\n", "\r"),
    "UTF-16, little-endian": codecs.BOM_UTF16_LE + PLAIN.replace(",", "\t").encode("utf-16-le"),
    "UTF-16, big-endian": codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "empty columns at the end": PLAIN.replace("\n", ",,\n"),
    "empty columns that pandas named": PLAIN.replace("\n", ",\n").replace("y,\n", "y,Unnamed: 3\n", 1),
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_unambiguous_forms_are_read_without_a_warning(
    tmp_path: Path, content: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    header, body = read_lines(write(tmp_path, content))
    assert header == ["name", "x", "y"]
    assert [(cells[0], float(cells[1]), float(cells[2])) for _, cells in body] == [("Zoë", 1.5, 2), ("José", -3.25, 40)]
    assert caplog.messages == []


INDEX = ",name,x,y\n7,Zoë,1.5,2\n3,José,-3.25,4e1\n"
ASSUMED: dict[str, tuple[str | bytes, str]] = {
    "Windows-1252": (PLAIN.encode("cp1252"), "is not UTF-8; read as Windows-1252"),
    "an index": (INDEX, "the first column has no name and holds whole numbers (pandas' index); it is ignored"),
    "an index that pandas named": (
        INDEX.replace(",name", "Unnamed: 0,name"),
        "the first column has no name and holds whole numbers (pandas' index); it is ignored",
    ),
    "an index of an index": (
        ",Unnamed: 0,name,x,y\n0,7,Zoë,1.5,2\n1,3,José,-3.25,4e1\n",
        "the first column has no name and holds whole numbers (pandas' index); it is ignored",
    ),
    "both": (
        INDEX.replace(",", ";").encode("cp1252"),
        "is not UTF-8; read as Windows-1252; the first column has no name and holds whole numbers (pandas' index); it "
        "is ignored",
    ),
}


@pytest.mark.parametrize(("content", "note"), ASSUMED.values(), ids=ASSUMED)
def test_assumptions_are_logged_in_one_warning(
    tmp_path: Path, content: str | bytes, note: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, content)
    header, body = read_lines(path)
    assert header == ["name", "x", "y"]
    assert [cells[0] for _, cells in body] == ["Zoë", "José"]
    assert caplog.record_tuples == [("facial_keypoints", logging.WARNING, f"{path}: {note}")]


def test_check_order_refuses_an_index_that_does_not_count_up_from_0(tmp_path: Path) -> None:
    read_table(write(tmp_path, ",x\n0,5\n1,6\n")).check_order()
    read_table(write(tmp_path, "x\n5\n6\n")).check_order()
    for text in (",x\n1,5\n0,6\n", ",x\n0,5\n2,6\n", ",Unnamed: 0,x\n0,1,5\n1,0,6\n"):
        with pytest.raises(InputError, match=r"table\.csv: the first column has no name and does not count 0, 1, 2"):
            read_table(write(tmp_path, text)).check_order()


@pytest.mark.parametrize("text", [",x\na.png,1\nb.png,2\n", "x,\n1,7\n2,8\n", ",x\n1.5,1\n2.5,2\n", ",x\n"])
def test_unnamed_column_that_is_not_an_index_is_kept(tmp_path: Path, text: str) -> None:
    assert "" in read_table(write(tmp_path, text)).header


BAD: dict[str, tuple[str | bytes | None, str]] = {
    "missing": (None, r"table\.csv: no such file; give"),
    "empty": ("", r"table\.csv: is empty"),
    "only blank lines": ("\n  \n", r"table\.csv: is empty"),
    "ragged": ("a,b\n1,2\n\n1,2,3\n", r"table\.csv, line 4: has 3 cells where the header has 2"),
    "decimal commas between commas": (
        "a,b\n1,5,2,5\n",
        r"line 2: has 4 cells where the header has 2; .* write decimal points where numbers have decimal commas",
    ),
    "separators differ": (
        "a,b\n1;2\n",
        r"line 2: has 1 cells where the header has 2; its columns are separated by semicolons, those of the header by",
    ),
    "decimal commas and points": (
        "a;b\n1,5;2\n1.5;2\n",
        r"table\.csv: has decimal commas \(line 2\) and decimal points \(line 3\); write all numbers one way",
    ),
    "lines in quotes": ('"a,b"\n"1,2"\n', r"line 1: has quotes around the whole line"),
    "spaces": ("a b\n1 2\n", r"table\.csv, line 1: has columns separated by spaces; save it with commas"),
    "a picture": (b"\x89PNG\r\n\x1a\n\xff\x00", r"table\.csv: is not a CSV file, or neither UTF-8 nor Windows-1252"),
    "UTF-16 without a mark": ("a,b\n1,2\n".encode("utf-16-le"), r"seems to be UTF-16 without a byte order mark; save"),
    "UTF-16 cut off": ("a,b\n1,2\n".encode("utf-16")[:-1], r"begins as UTF-16 but is damaged; save it as"),
    "two encodings": ("a,b\nZoë,1\n".encode() + "José,2".encode("cp1252"), r"line 3: is not UTF-8, unlike other lines"),
    "another encoding": ("a,b\nŁódź,1\n".encode("cp852"), r"table\.csv: is not a CSV file, or neither UTF-8 nor"),
    "an endless cell": ('a,b\n1,"' + "x" * 200_000, r"table\.csv: is not a CSV file"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_file_gives_a_one_line_error(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        write(tmp_path, content)
    with pytest.raises(InputError, match=message) as error:
        read_lines(path)
    assert "\n" not in str(error.value)


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        read_lines(tmp_path)


@pytest.mark.parametrize(("text", "value"), [("7", 7), (" 7.5 ", 7.5), ("-1e3", -1000), ("1000000", 1e6)])
def test_numbers_are_parsed(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", " ", "nan", "NaN", "NA", "n/a", "#N/A", "<NA>", "null", "None"])
def test_missing_values_are_nan(text: str) -> None:
    assert math.isnan(number(text))


@pytest.mark.parametrize("text", ["x", "1,5", "inf", "-inf", "1e400", "1000001", "\0", "1.234,5"])
def test_invalid_numbers_are_infinite(text: str) -> None:
    assert number(text) == math.inf


@pytest.mark.parametrize(("text", "row"), [("7", 7), (" 7 ", 7), ("7.0", 7), ("-1", -1), ("12345678", 12345678)])
def test_row_numbers_are_parsed_as_whole_numbers(tmp_path: Path, text: str, row: int) -> None:
    assert row_number(tmp_path, 2, text) == whole_number(text) == row


@pytest.mark.parametrize("text", ["", "x", "1.5", "nan", "inf", "1e999"])
def test_row_number_refuses_text_that_is_not_a_whole_number(tmp_path: Path, text: str) -> None:
    assert whole_number(text) is None
    with pytest.raises(InputError, match=r"table\.csv, line 9: row '.*' is not a whole number"):
        row_number(tmp_path / "table.csv", 9, text)
