"""The server as users start it: its API, what it rejects, and the deletion of uploads."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from web.page import WAITING
from web.uploads import MOST_BYTES

ROOT = Path(__file__).parents[2]
KEEP_S, TIMEOUT_S = 4, 120


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "web.app", *map(str, arguments)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(temporary: Path, *arguments: object) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Yields the address of a page whose temporary files and home folder lie in a folder, and its process."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "XDG_CACHE_HOME")}
    environment = {**kept, "TMPDIR": str(temporary), "HOME": str(home_of(temporary))}
    with subprocess.Popen(
        command("--port", free_port(), *arguments), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[0]
            wait_for(lambda: answers(url))
            yield url, process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=TIMEOUT_S)


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url).status == 200)
    except OSError:
        return False


def read_json(url: str | urllib.request.Request) -> Any:
    return json.load(urllib.request.urlopen(url))


def post_json(url: str, values: Any) -> Any:
    """Returns the reply, also if it is an error."""
    request = urllib.request.Request(url, json.dumps(values).encode(), {"Content-Type": "application/json"})
    try:
        return read_json(request)
    except urllib.error.HTTPError as error:
        return json.load(error)


def upload_request(url: str, content: bytes) -> urllib.request.Request:
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return urllib.request.Request(f"{url}/gradio_api/upload", head + content + b"\r\n--x--\r\n", headers)


def wait_for(done: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not done():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.05)


def home_of(temporary: Path) -> Path:
    return temporary / "home"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("facial-keypoints-*/uploads/**/*") if path.is_file()]


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def url(temporary: Path) -> Iterator[str]:
    with served(temporary) as (url, _):
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Client:
    return Client(url, verbose=False, analytics_enabled=False)


def predict(client: Client, picture: Path | str, model: str = "v2", **more: Any) -> Any:
    return client.predict(handle_file(str(picture)), model, api_name="/predict", **more)


def test_api_returns_picture_sentence_table_and_files(client: Client, examples: dict[str, Path]) -> None:
    shown, sentence, table, csv_file, json_file = predict(client, examples["group"], filter="hat", keypoints=False)
    assert Path(shown).read_bytes().startswith(b"\xff\xd8")
    assert sentence.startswith("6 faces.")
    assert table["headers"][:2] == ["face", "keypoint"]
    assert len(table["data"]) == 6 * 15
    assert Path(csv_file).read_text(encoding="utf-8").count("\n") == 1 + 6
    assert json.loads(Path(json_file).read_text(encoding="utf-8"))["pictures"][0]["file"] == "group.png"


def test_api_has_one_endpoint_with_named_parameters(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert list(named) == ["/predict"]
    parameters = [p["parameter_name"] for p in named["/predict"]["parameters"]]
    assert parameters == ["picture", "model", "filter", "keypoints"]


def test_file_that_is_not_a_picture_is_rejected_with_a_message(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(AppError, match=r"^The picture is not a readable picture"):
        predict(client, tmp_path / "a.png")


def test_no_library_writes_an_id_to_the_home_folder(client: Client, temporary: Path, examples: dict[str, Path]) -> None:
    """The variable CI is unset, because with it onnxruntime would write no id anyway."""
    predict(client, examples["one"])
    assert list(home_of(temporary).rglob("*")) == []
    assert {path.name.partition("-")[0] for path in temporary.iterdir()} == {"facial"}


def test_urls_are_not_downloaded(client: Client) -> None:
    with pytest.raises(AppError, match="URLs are not supported"):
        predict(client, "http://127.0.0.1:9/face.png")


def test_files_of_the_server_are_not_served(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{url}/gradio_api/file={ROOT / 'pyproject.toml'}")


def test_too_large_upload_is_rejected_while_it_arrives_and_deleted(url: str, temporary: Path) -> None:
    """The request announces 1 GB and sends one byte more than is allowed; the answer must not wait for the rest."""
    request, before = upload_request(url, b""), set(files(temporary))
    connection = http.client.HTTPConnection(request.host, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        connection.putrequest("POST", request.selector)
        for name, value in {**request.headers, "Content-Length": str(10**9)}.items():
            connection.putheader(name, value)
        assert isinstance(request.data, bytes)
        connection.endheaders(request.data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        connection.send(bytes(MOST_BYTES))
        wait_for(lambda: bool(set(files(temporary)) - before))
        connection.send(b"1")
        reply = connection.getresponse()
        assert reply.status == 413
        assert str(MOST_BYTES) in reply.read().decode()
    wait_for(lambda: set(files(temporary)) <= before)


def test_full_queue_is_reported(url: str, examples: dict[str, Path]) -> None:
    (function,) = [f["id"] for f in read_json(f"{url}/config")["dependencies"] if f["api_name"] == "predict"]
    (path,) = read_json(upload_request(url, examples["group"].read_bytes()))
    picture = {"path": path, "meta": {"_type": "gradio.FileData"}}
    request = {"data": [picture, "v2", "none", True], "fn_index": function, "session_hash": "many"}
    for _ in range(20 * WAITING):  # the server works on the queue meanwhile
        if "event_id" not in (reply := post_json(f"{url}/gradio_api/queue/join", request)):
            assert f"Queue is full. Max size is {WAITING}" in reply["detail"]
            return
    pytest.fail("the queue never was full")


def test_uploads_are_deleted_after_a_time_and_when_the_server_stops(examples: dict[str, Path], tmp_path: Path) -> None:
    with served(tmp_path, "--keep", KEEP_S) as (url, process):
        client = Client(url, verbose=False, analytics_enabled=False, download_files=False)
        predict(client, examples["one"])
        with pytest.raises(AppError):
            predict(client, ROOT / "pyproject.toml")
        assert files(tmp_path)
        wait_for(lambda: not files(tmp_path))
        predict(client, examples["one"])
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT_S)
        assert list(tmp_path.glob("facial-keypoints-*")) == []


def test_port_in_use_is_a_one_line_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        rejected = subprocess.run(command("--port", port), cwd=ROOT, capture_output=True, text=True, check=False)
    assert rejected.returncode == 2
    assert rejected.stderr == f"error: --port {port}: cannot be used (Address already in use); choose another port\n"


@pytest.mark.parametrize("arguments", [("--port", 99_999), ("--keep", 0)])
def test_invalid_numbers_are_a_one_line_error(arguments: tuple[object, ...]) -> None:
    rejected = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    assert (rejected.returncode, rejected.stderr.count("\n")) == (2, 1)
    assert rejected.stderr.startswith(f"error: {arguments[0]} {arguments[1]}")
