"""From training to the comparison: a small v2, and a custom network."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.stage import read_manifest
from data_prep.arrays import load_split
from evaluation import compare, evaluate
from evaluation.predictions import expected_error_columns, read_predictions
from facial_keypoints.codec import decode
from facial_keypoints.keypoint_set import FACE15
from models.saved import TRAIN
from tests.evaluation.conftest import save_data

OWN = """
import keras

@keras.saving.register_keras_serializable()
class Half(keras.layers.Layer):
    def call(self, values):
        return values / 2

def build(input_shape, keypoints, filters: int = 2):
    image = keras.Input(input_shape)
    features = keras.layers.Conv2D(filters, 9, strides=16)(Half()(image))
    numbers = keras.layers.Dense(2 * keypoints)(keras.layers.Flatten()(features))
    return keras.Model(image, keras.layers.Reshape((keypoints, 2))(numbers))
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_data(tmp_path_factory.mktemp("faces") / "data")


@pytest.fixture(scope="module")
def evaluations(faces: Path) -> Path:
    """A folder of evaluations: a small `v2`, and `own`, a custom network, each trained for one epoch."""
    from training.train import train

    own = faces.parent / "own.py"
    own.write_text(OWN, encoding="utf-8")
    networks: list[tuple[str, dict[str, Any]]] = [("v2", {"width": 0.25}), (str(own), {})]
    for network, options in networks:
        name = Path(network).stem
        train(network, faces, faces.parent / "models" / name, epochs=1, **options)
        out = faces.parent / "evaluation" / name
        evaluate.main([str(faces.parent / "models" / name), "--data", str(faces), "--out", str(out)])
    return faces.parent / "evaluation"


def test_v2_is_scored_with_the_output_points_of_each_label_source(faces: Path, evaluations: Path) -> None:
    from models.saved import load_model, predict

    test = load_split(faces, "test")
    loaded = load_model(faces.parent / "models" / "v2")
    output = predict(loaded, test.images, FACE15)
    assert output.shape == (36, 17, 3)  # 15 keypoints and the two that the sparse source labels elsewhere
    expected = decode(output, test.label_sources, loaded.output_points(FACE15))
    written = read_predictions(evaluations / "v2" / "predictions.csv", test.rows, FACE15)
    np.testing.assert_array_equal(written.coordinates, expected.coordinates)
    assert written.expected_error is not None
    np.testing.assert_array_equal(written.expected_error, expected.expected_error)

    nose = FACE15.index("nose_tip")
    first, sparse = (int(np.flatnonzero(test.label_sources == source)[0]) for source in (0, 1))
    np.testing.assert_array_equal(written.coordinates[first, nose], output[first, nose, :2])
    np.testing.assert_array_equal(written.coordinates[sparse, nose], output[sparse, 15, :2])
    assert (evaluations / "v2" / "reliability.csv").is_file()


def test_custom_network_is_compared_with_v2(faces: Path, evaluations: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = pd.read_csv(evaluations / "own" / "predictions.csv").columns
    assert not set(columns) & set(expected_error_columns(FACE15))
    assert not (evaluations / "own" / "reliability.csv").exists()

    out = faces.parent / "comparison"
    compare.main(["--evaluations", str(evaluations), "--data", str(faces), "--out", str(out), "--reference", "own"])
    table = pd.read_csv(out / "comparison.csv").set_index(["name", "labels"])
    for name in ("own", "v2"):
        metrics = read_manifest(faces.parent / "models" / name, TRAIN)["metrics"]
        cost = table.loc[(name, "labelled"), ["parameters", "epochs", "seconds"]].tolist()
        assert cost == [metrics["parameters"], 1, metrics["seconds"]]
    assert "v2: " in capsys.readouterr().out
