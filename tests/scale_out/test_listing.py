"""INPUT of `scale_out.score`: each kind of INPUT lists every picture once, always in the same order."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from facial_keypoints.cli.inputs import find_inputs
from facial_keypoints.errors import InputError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
fsspec = pytest.importorskip("fsspec")

from scale_out.listing import Part, Shard, find_pictures, parts_of, rows_of  # noqa: E402 - where pyarrow is installed


def listed(source: object, out: Path = Path("out")) -> list[tuple[str, str]]:
    table: Any = find_pictures(str(source), out).table
    return list(zip(*table.to_pydict().values(), strict=True))


def write(file: Path, **columns: list[Any]) -> Path:
    pq.write_table(pa.table(columns), file)
    return file


def message(source: object, out: Path = Path("out")) -> str:
    with pytest.raises(InputError) as raised:
        find_pictures(str(source), out)
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(f"{source}: ")


def test_folder_lists_the_pictures_that_predict_finds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt", ".hidden.png", "sub/c.webp", "sub/deep/a.png", ".cache/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "linked").symlink_to(tmp_path / "sub")
    monkeypatch.chdir(tmp_path.parent)
    with caplog.at_level(logging.WARNING):
        found = listed(tmp_path.name)
    assert found == [(name, str(tmp_path / name)) for name in ("a.PNG", "b.jpg", "sub/c.webp", "sub/deep/a.png")]
    assert caplog.messages == [f"{tmp_path.name}: skipped files without the extension of a picture: 1"]
    assert {name for name, _ in found} == {one.name for one in find_inputs([tmp_path], Path("out"))[0]}


def test_wildcards_and_single_pictures_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.jpg", "a.jpg", "c.png", "deep/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    monkeypatch.chdir(tmp_path)
    assert listed("*.jpg") == [(name, str(tmp_path / name)) for name in ("a.jpg", "b.jpg")]
    assert listed("**/*.jpg") == [(name, str(tmp_path / name)) for name in ("a.jpg", "b.jpg", "deep/d.jpg")]
    assert listed(tmp_path / "c.png") == [("c.png", str(tmp_path / "c.png"))]


def test_text_file_lists_paths_and_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list.txt").write_text("b.jpg\n\n s3://bucket/c.jpg \r\nb.jpg\n", encoding="utf-8-sig")
    monkeypatch.chdir(tmp_path)
    b = ("b.jpg", str(tmp_path / "b.jpg"))
    assert listed("list.txt") == [b, ("s3://bucket/c.jpg", "s3://bucket/c.jpg"), b]


def test_addresses_of_a_store_are_listed(tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    for name in ("b.jpg", "a.png", "deep/c.jpg", "notes.txt", ".hidden.jpg"):
        store.pipe(f"/bucket/{name}", b"")
    expected = ["a.png", "b.jpg", "deep/c.jpg"]
    assert listed("memory://bucket") == [(name, f"memory:///bucket/{name}") for name in expected]
    assert listed("memory://bucket/*.jpg") == [("memory:///bucket/b.jpg", "memory:///bucket/b.jpg")]
    assert listed("memory://bucket/a.png") == [("a.png", "memory://bucket/a.png")]
    store.pipe("/bucket/list.txt", b"x.jpg\n")
    assert [name for name, _ in listed("memory://bucket/list.txt")] == ["x.jpg"]
    (tmp_path / "a.png").touch()
    assert [name for name, _ in listed(f"file://{tmp_path}")] == ["a.png"]


def test_file_name_that_is_not_utf_8_is_listed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.png")).touch()
    assert listed(tmp_path) == [("a\\udcff.png", f"{tmp_path}/a\\udcff.png")]


def test_digest_changes_with_the_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    first = find_pictures(str(tmp_path), Path("out")).digest
    assert find_pictures(str(tmp_path), Path("elsewhere")).digest == first
    (tmp_path / "b.png").touch()
    assert find_pictures(str(tmp_path), Path("out")).digest != first
    parquet = write(tmp_path / "a.parquet", path=["a", "b"])
    two = find_pictures(str(parquet), Path("out")).digest
    write(parquet, path=["a", "b", "c"])
    assert find_pictures(str(parquet), Path("out")).digest != two


def test_parquet_files_are_listed_as_shards(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", bytes=[b"1", b"2", b"3"])
    write(tmp_path / "a.parquet", path=["x.jpg"], more=[7])
    found = find_pictures(str(tmp_path), Path("out"))
    assert found.table is None
    assert found.shards == [Shard(f"{tmp_path}/a.parquet", 1), Shard(f"{tmp_path}/b.parquet", 3)]
    assert found.number == 4


def test_parquet_files_without_rows_are_a_one_line_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"path": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    assert message(tmp_path) == "holds no pictures; give Parquet files with rows"
    write(tmp_path / "one.parquet", path=["x.jpg"])
    assert find_pictures(str(tmp_path), Path("out")).number == 1


def test_parts_cover_every_row_once() -> None:
    assert parts_of([Shard("a", 5), Shard("empty", 0), Shard("b", 2)], 2) == [
        Part(0, "a", 0, 2),
        Part(1, "a", 2, 4),
        Part(2, "a", 4, 5),
        Part(3, "b", 0, 2),
    ]


@pytest.mark.parametrize("group", [1, 7, 1000])
@pytest.mark.parametrize("size", [1, 20, 33, 1000])
def test_rows_of_all_parts_together_are_all_rows(tmp_path: Path, group: int, size: int) -> None:
    content = [str(number).encode() for number in range(100)]
    table = pa.table({"bytes": content, "file": [f"{number}.jpg" for number in range(100)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group)
    parts = parts_of([Shard(str(tmp_path / "a.parquet"), 100)], size)
    rows = [row for part in parts for row in rows_of(part)]
    assert [row.content for row in rows] == content
    assert [row.file for row in rows] == [f"{number}.jpg" for number in range(100)]


def test_pictures_are_named_by_file_path_or_row(tmp_path: Path) -> None:
    path = str(write(tmp_path / "a.parquet", bytes=[b"1", b"2", None], path=["x.jpg", None, "y.jpg"]))
    rows = list(rows_of(Part(0, path, 0, 3)))
    assert [tuple(row) for row in rows] == [
        ("x.jpg", "x.jpg", b"1"),
        ("a.parquet:1", None, b"2"),
        ("y.jpg", "y.jpg", None),
    ]


def test_bad_input_is_a_one_line_error(tmp_path: Path) -> None:
    assert message(tmp_path).startswith("nothing matches; give a folder")
    assert message(tmp_path / "*.jpg").startswith("nothing matches")
    assert message(tmp_path / "missing") == "no such file or folder"
    assert message("memory://missing") == "no such file or folder"
    assert message("nosuch://bucket").startswith("cannot be read (Protocol not known: nosuch")
    (tmp_path / "list.txt").write_bytes(b"\n")
    assert message(tmp_path / "list.txt") == "has no lines; give one path or address per line"
    (tmp_path / "list.txt").write_bytes(b"\xff\xd8\xff")
    assert message(tmp_path / "list.txt").startswith("is neither a picture (.bmp, ")
    (tmp_path / "a.png").touch()
    assert message(tmp_path, tmp_path / "out") == f"contains --out {tmp_path / 'out'}; choose another --out"


def test_bad_parquet_file_is_a_one_line_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", image=["a.jpg"])
    assert message(path) == "has no column path or bytes (it has image); rename the one you mean"
    assert message(write(path, path=[1])) == "its column path is int64, expected string"
    assert message(write(path, bytes=["a"])) == "its column bytes is string, expected binary"
    path.write_bytes(b"no Parquet")
    assert message(path).startswith("is not a Parquet file (")
    (tmp_path / "a.png").touch()
    assert message(tmp_path) == "has both pictures and Parquet files; choose one kind with a wildcard"
