"""Measures the time and the peak memory of `prepare` on a large COCO file, and of training on the result.

    python -m benchmarks.coco_memory [--annotations 100000] [--pictures 1000]

Drawn faces are written as PNGs with a COCO file into a temporary folder. Each picture has many annotations: the labels
of its face, each time with other noise. Each stage runs in its own process. The network has one layer, so that the
data determine the result.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.memory import in_own_process, peak_mb, run_measured
from common.options import stage_parser
from data_prep.faces import labelled_points
from data_prep.synthetic import dataset
from facial_keypoints.errors import run

NOISE_PX = 1.0
NETWORK = """import keras


def build(input_shape=(128, 128, 1), keypoints=15):
    images = keras.Input(input_shape)
    x = keras.layers.AveragePooling2D(16)(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.Dense(2 * keypoints)(keras.layers.Flatten()(x))
    x = keras.layers.Reshape((keypoints, 2))(x)
    return keras.Model(images, keras.layers.Rescaling(input_shape[0], offset=input_shape[0] / 2)(x))
"""


def write_coco(folder: Path, annotations: int, pictures: int) -> Path:
    """Writes drawn pictures and a COCO file with their labels; returns the file."""
    rng = np.random.default_rng(0)
    faces = dataset.read(pictures)
    labelled = labelled_points(faces.keypoints)
    (folder / "images").mkdir()
    images = []
    for number, image in enumerate(faces.images):
        name = f"{number:06}.png"
        cv2.imwrite(str(folder / "images" / name), image)
        images.append({"id": number, "file_name": name, "width": image.shape[1], "height": image.shape[0]})
    path = folder / "faces.json"
    names = [f"my_{name}" for name in faces.keypoint_set.names]  # a keypoint set of the user
    head = {"images": images, "categories": [{"id": 1, "name": "face", "keypoints": names, "skeleton": []}]}
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "annotations": [')
        for number in range(annotations):
            picture = number * pictures // annotations
            noisy = np.nan_to_num(faces.keypoints[picture]) + rng.normal(0, NOISE_PX, (len(names), 2))
            values = np.where(labelled[picture][:, None], np.column_stack([noisy.round(2), np.full(len(names), 2)]), 0)
            annotation = {"id": number, "image_id": picture, "category_id": 1, "keypoints": values.ravel().tolist()}
            file.write((",\n" if number else "\n") + json.dumps(annotation))
        file.write("]}\n")
    return path


def main() -> None:
    parser = stage_parser("benchmarks.coco_memory", __doc__)
    parser.add_argument(
        "--annotations", type=int, default=100_000, metavar="N", help="number of faces (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures", type=int, default=1_000, metavar="N", help="number to draw (default: %(default)s)"
    )
    parser.add_argument("options", nargs="*", metavar="OPTION", help="further options of prepare, after --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = in_own_process(write_coco, folder, options.annotations, options.pictures)
        print(f"{path.stat().st_size / 1e6:.0f} MB of JSON")
        data = folder / "data"
        seconds, peak, anon = measure_module(["data_prep.prepare", str(path), "--out", str(data), *options.options])
        print(
            f"prepare, {options.annotations:,} annotations: {seconds:.0f} s, {peak:.0f} MB at most ({anon:.0f} MB own)"
        )
        network = folder / "small.py"
        network.write_text(NETWORK, encoding="utf-8")
        train = ["training.train", str(network), "--data", str(data), "--out", str(folder / "model"), "--epochs", "1"]
        seconds, peak, anon = measure_module([*train, "--augment", "none", "--batch-size", "256"])
        print(f"train, one epoch: {seconds:.0f} s, {peak:.0f} MB at most ({anon:.0f} MB own, without mapped files)")


def measure_module(module: list[str]) -> tuple[float, float, float]:
    """Runs a module in its own process.

    Returns:
        Seconds, and the largest resident memory in MB: with pages mapped from files, which the system frees when other
        processes need memory, and without them (sampled).
    """
    own_mb = [0.0]

    def watch(pid: int) -> None:
        with contextlib.suppress(OSError, StopIteration):  # Linux only; gone when the process ends
            lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            own_mb.append(next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1e3)

    seconds, usage = run_measured([sys.executable, "-m", *module], watch=watch)
    return seconds, peak_mb(usage), max(own_mb)


if __name__ == "__main__":
    run(main)
