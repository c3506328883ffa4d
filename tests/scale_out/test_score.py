"""Scoring a part equals `facial-keypoints predict`; what the command rejects. Ray runs in `test_score_ray`."""

import argparse
import contextlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.hashes import file_hash
from common.stage import locked
from facial_keypoints.__main__ import main as facial_keypoints
from facial_keypoints.errors import InputError
from facial_keypoints.keypoint_set import FACE15
from facial_keypoints.predictor import Predictor
from scale_out import score
from tests.docs.test_files import documented

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
fsspec = pytest.importorskip("fsspec")

from scale_out.listing import Part, find_pictures, rows_of  # noqa: E402 - where pyarrow is installed
from scale_out.scorer import Counts, Scorer, counts_of, file_of  # noqa: E402


def predicted(given: Path, out: Path, *options: str) -> pd.DataFrame:
    """Returns the results of `facial-keypoints predict` for the pictures in a folder, by file and face."""
    with pytest.raises(InputError, match=r"unread\.csv: 1 of"):
        facial_keypoints(["predict", str(given), "--out", str(out), "--measures", *options])
    return by_face(pd.read_csv(out / "keypoints.csv"))


def by_face(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(["file", "face"], ignore_index=True)


@pytest.fixture
def scorer(tmp_path: Path) -> Callable[..., Scorer]:
    def make(*words: str) -> Scorer:
        options = score.parser().parse_args(["unused", "--out", str(tmp_path / "out"), *words])
        options.out.mkdir(exist_ok=True)
        return Scorer(options, file_hash(Predictor(options.model).path), str(tmp_path))

    return make


def listing_of(folder: Path, file: Path) -> Part:
    """Writes a Parquet file of the pictures in a folder and returns it as one part."""
    found = find_pictures(str(folder), Path("out"))
    pq.write_table(found.table, file)
    return Part(0, str(file), 0, found.number)


@pytest.mark.parametrize("options", [(), ("--no-detect", "--model", "v2-68")], ids=["15", "68"])
def test_part_equals_the_output_of_predict(
    options: tuple[str, ...], pictures: Path, tmp_path: Path, scorer: Callable[..., Scorer]
) -> None:
    part = listing_of(pictures, tmp_path / "list.parquet")
    counts = scorer(*options).write(part)
    table = pd.read_parquet(file_of(tmp_path / "out", part))
    assert list(table["file"].unique()) == [row.file for row in rows_of(part)]

    expected = predicted(pictures, tmp_path / "predicted", *options)
    found = table[table["face"].notna()]
    pd.testing.assert_frame_equal(
        by_face(found.drop(columns="error")).astype({"face": int}), expected, check_exact=True
    )
    assert found["error"].isna().all()
    (unread,) = pd.read_csv(tmp_path / "predicted" / "unread.csv").itertuples()
    (bad,) = table[table["error"].notna()].itertuples()
    assert (bad.file, bad.error) == (unread.file, unread.reason)
    without_face = set() if "--no-detect" in options else {"gray.png"}
    assert set(table[table["face"].isna() & table["error"].isna()]["file"]) == without_face
    assert counts == Counts(14, len(expected), len(without_face), 1) == counts_of(file_of(tmp_path / "out", part))


def test_bytes_and_remote_pictures_are_scored_like_files(
    pictures: Path, tmp_path: Path, scorer: Callable[..., Scorer]
) -> None:
    part = listing_of(pictures, tmp_path / "list.parquet")
    made = scorer("--no-detect")
    made.write(part)
    rows = list(rows_of(part))
    contents = [Path(str(row.path)).read_bytes() for row in rows]
    names = [row.file for row in rows]
    store = fsspec.filesystem("memory")
    for name, content in zip(names, contents, strict=True):
        store.pipe(f"/pictures/{name}", content)
    remote = [f"memory://pictures/{name}" for name in names]
    relative = [str(Path(str(row.path)).relative_to(pictures.parent)) for row in rows]
    (tmp_path / pictures.name).symlink_to(pictures)
    tables = ({"file": names, "bytes": contents}, {"file": names, "path": remote}, {"file": names, "path": relative})
    expected = pd.read_parquet(file_of(tmp_path / "out", part)).drop(columns="error")
    for number, columns in enumerate(tables, 1):
        pq.write_table(pa.table(columns), tmp_path / "given.parquet")
        other = Part(number, str(tmp_path / "given.parquet"), 0, len(names))
        made.write(other)
        found = pd.read_parquet(file_of(tmp_path / "out", other))
        pd.testing.assert_frame_equal(found.drop(columns="error"), expected, check_exact=True)
        assert found["error"].notna().sum() == 1


def test_columns_are_documented(pictures: Path, tmp_path: Path, scorer: Callable[..., Scorer]) -> None:
    part = listing_of(pictures, tmp_path / "list.parquet")._replace(stop=1)
    scorer().write(part)
    table = pd.read_parquet(file_of(tmp_path / "out", part))
    assert sorted(table.columns) == documented("part-NUMBER.parquet of score", FACE15)


def test_bad_pictures_become_rows_with_an_error(tmp_path: Path, scorer: Callable[..., Scorer]) -> None:
    paths = ["missing.jpg", "nosuch://bucket/a.jpg", None]
    pq.write_table(pa.table({"path": paths}), tmp_path / "given.parquet")
    part = Part(0, str(tmp_path / "given.parquet"), 0, 3)
    assert scorer().write(part) == Counts(3, 0, 0, 3)
    table = pd.read_parquet(file_of(tmp_path / "out", part))
    assert table["file"].tolist() == ["missing.jpg", "nosuch://bucket/a.jpg", "given.parquet:2"]
    missing, unknown, nothing = table["error"]
    assert missing.startswith("missing.jpg: cannot be read (FileNotFoundError: ")
    assert unknown.startswith("nosuch://bucket/a.jpg: cannot be read (ValueError: Protocol not known: nosuch")
    assert nothing == "given.parquet:2: has neither bytes nor a path"
    assert table.drop(columns=["file", "error"]).isna().all().all()


def test_picture_that_killed_two_processes_is_skipped_with_an_error(
    pictures: Path, tmp_path: Path, scorer: Callable[..., Scorer]
) -> None:
    part = listing_of(pictures, tmp_path / "list.parquet")
    made = scorer()
    for process, at in enumerate(("3", "5", "3", "")):
        (tmp_path / "out" / f".part-000000.{process}.at").write_text(at, encoding="utf-8")
    assert made.write(part).errors == 2
    table = pd.read_parquet(file_of(tmp_path / "out", part)).dropna(subset="error").set_index("file")
    fourth = list(rows_of(part))[3].file
    assert table["error"].to_dict().keys() == {fourth, "damaged.jpg"}
    assert table.loc[fourth, "error"] == f"{fourth}: 2 processes died of it"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["part-000000.parquet"]


def test_another_model_on_a_machine_is_rejected(tmp_path: Path) -> None:
    options = score.parser().parse_args(["unused", "--out", str(tmp_path)])
    batch = {name: np.array([value]) for name, value in Part(0, "a", 0, 1)._asdict().items()}
    failed = Scorer(options, "another hash", "")(batch)["failed"][0]
    assert failed.endswith("model.onnx: is another file on this machine; copy one model to all machines")


def test_missing_parquet_file_is_a_one_line_error(tmp_path: Path, scorer: Callable[..., Scorer]) -> None:
    batch = {name: np.array([value]) for name, value in Part(0, str(tmp_path / "gone"), 0, 1)._asdict().items()}
    done = scorer()(batch)
    assert done["failed"][0].startswith(f"{tmp_path / 'gone'}: cannot be read (")
    assert done["pictures"].tolist() == [0]


def test_missing_or_damaged_part_has_no_counts(tmp_path: Path) -> None:
    assert counts_of(tmp_path / "missing.parquet") is None
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    assert counts_of(tmp_path / "a.parquet") is None
    pq.write_table(pa.table({"path": ["a"]}), tmp_path / "a.parquet")
    assert counts_of(tmp_path / "a.parquet") is None


@pytest.mark.parametrize(
    ("number", "processes", "size"), [(1, 2, 8), (480, 2, 12), (100_000, 2, 1000), (100_000, 64, 79), (10**7, 64, 1000)]
)
def test_part_size_follows_from_the_number_of_pictures_and_processes(
    number: int, processes: int, size: int, tmp_path: Path
) -> None:
    found = argparse.Namespace(number=number, table=None)
    assert score.write_job(tmp_path, found, {}, processes) == size == score.read_job(tmp_path, {})  # type: ignore[arg-type]


@pytest.fixture
def command(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of a command that must not start Ray."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "installed")
    monkeypatch.setattr(score, "ray_started", lambda address: pytest.fail("Ray was started"))
    return [str(pictures), "--out", str(tmp_path / "out")]


def facts(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> dict[str, Any]:
    """Returns the facts that a command records about its job, without running it."""
    found: dict[str, Any] = {}
    with monkeypatch.context() as patch:
        patch.setattr(score, "score", lambda options, pictures, facts: found.update(facts))
        score.main(command)
    return found


def test_out_folder_of_another_job_is_rejected(
    command: list[str], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    score.write_job(out, find_pictures(str(pictures), out), facts(monkeypatch, command), 1)
    for more, difference in (
        (["--model", "v2-68"], "other model"),
        (["--views", "2"], r"other views \(1, not 2\)"),
        (["--no-detect"], r"other no_detect \(False, not True\)"),
        (["--detector", "haar-profile"], r"other detector \(face-finder, not haar-profile\)"),
        (["--smallest", "6"], r"other smallest \(None, not 6.0\)"),
    ):
        with pytest.raises(InputError, match=f"out: holds a job with {difference}; choose another --out"):
            score.main([*command, *more])
    with pytest.raises(InputError, match="out: holds a job with other pictures; choose"):
        score.main([str(pictures / "a"), *command[1:]])
    (out / "_job.json").write_text('{"part_size": 8}', encoding="utf-8")
    with pytest.raises(InputError, match=r"_job\.json: is damaged; choose another --out, or delete the folder"):
        score.main(command)


def test_out_folder_with_other_files_is_rejected(command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").touch()
    with pytest.raises(InputError, match=r"out: holds thesis\.txt, and no job; choose an empty or new --out"):
        score.main(command)
    (out / "thesis.txt").unlink()
    with locked(out), pytest.raises(InputError, match="another run is writing this folder"):
        score.main(command)
    out.rmdir()
    out.touch()
    with pytest.raises(InputError, match="is a file, not a folder"):
        score.main(command)


def test_complete_job_only_prints_its_summary(
    command: list[str],
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    found = find_pictures(str(pictures), out)
    size = score.write_job(out, found, facts(monkeypatch, command), 1)
    assert json.loads((out / "_job.json").read_text(encoding="utf-8"))["part_size"] == size == 8
    _, missing = score.written_parts(out, found, size)
    assert [(part.start, part.stop) for part in missing] == [(0, 8), (8, 14)]
    for number, part in enumerate(missing):
        counts = json.dumps(Counts(part.stop - part.start, 3, number, number)._asdict())
        pq.write_table(pa.table({"file": ["a"]}).replace_schema_metadata({"counts": counts}), file_of(out, part))
    score.main(command)
    summary = "6 faces in 14 pictures; no face found in 1 of them; 1 could not be read (column error)"
    assert capsys.readouterr().out == f"{out}: {summary}\n"


@pytest.mark.parametrize("kept_bytes", [None, 0, 4, 1000])
def test_only_a_missing_or_damaged_part_is_scored_again(
    kept_bytes: int | None,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The parts are scored in this process, without Ray."""
    scored = []

    def run_parts(parts: Sequence[Part], _: int, scorer: type[Scorer], arguments: tuple[Any, ...]) -> Iterator[Counts]:
        for part in parts:
            scored.append(part.number)
            yield scorer(*arguments).write(part)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: "installed")
    monkeypatch.setattr(score, "ray_started", lambda address: contextlib.nullcontext(1))
    monkeypatch.setattr(score, "run_parts", run_parts)
    command, out = [str(pictures), "--out", str(tmp_path / "out"), "--no-detect"], tmp_path / "out"
    score.main(command)
    printed = capsys.readouterr().out
    expected = pd.read_parquet(out)
    part = out / "part-000001.parquet"
    whole = part.read_bytes()
    part.unlink()
    assert len(whole) > 1000
    if kept_bytes is not None:
        part.write_bytes(whole[:kept_bytes])
    score.main(command)
    assert scored == [0, 1, 1]
    assert capsys.readouterr().out == printed
    pd.testing.assert_frame_equal(pd.read_parquet(out), expected, check_exact=True)
    assert sorted(path.name for path in out.glob("*part*")) == ["part-000000.parquet", "part-000001.parquet"]
