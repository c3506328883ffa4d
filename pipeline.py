"""Runs all stages in order: prepare, train, evaluate, compare, on request export. It skips stages that are up to date.

It runs the same commands that a user would type, and prints each one with the reason for running it.
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.backend import backend_name
from common.code import changed_files
from common.hashes import file_hash
from common.options import add_out_option, positive, seed
from common.stage import Stage, read_manifest, seconds_text, stage_code
from data_prep.arrays import PREPARE, data_hash, load_data_manifest
from data_prep.crop import CROPS
from data_prep.impute import IMPUTERS
from data_prep.inputs import SYNTHETIC
from data_prep.prepare import input_hashes
from data_prep.readers.pictures import EXIF
from data_prep.split import SPLIT_METHODS
from evaluation.stages import COMPARE, EVALUATE
from facial_keypoints.errors import InputError, listed, run
from facial_keypoints.pretrained import KERAS_FILE, ONNX_FILE
from models.networks import network_file, network_name, network_names
from models.saved import TRAIN
from training.recipes import FINETUNE, RECIPES, default_recipe, resolve

NETWORKS = ("base", "v1", "v2")
PREPARE_OPTIONS = (
    *("images", "keypoints", "category", "reviewed", "as", "size", "crop", "color"),
    *("split", "impute", "count", "seed", "skip_bad", "exif"),
)
QUICK_FACES, QUICK_EPOCHS = 2000, 8  # take some minutes on two cores
RESUME = ["--resume", "--restart"]  # continue an interrupted training, or start over if its settings have changed


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        out: the folder it writes.
        stage: the stage that it runs.
        command: its module and arguments.
        inputs: returns the hashes of its inputs, as in its manifest; called just before the stage runs.
        parameters: values that its manifest must have and that do not follow from the command alone.
        code: code files that it loads by name.
        adds: the file that it adds to a folder of another stage; it is up to date if that file exists.
        always: whether it runs even if it is up to date.
    """

    out: Path
    stage: Stage
    command: list[str]
    inputs: Callable[[], dict[str, str]] = dict
    parameters: Mapping[str, Any] = field(default_factory=dict)
    code: tuple[Path, ...] = ()
    adds: str = ""
    always: bool = False

    @property
    def text(self) -> str:
        return shlex.join(["python", "-m", *self.command])


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python pipeline.py",
        description=__doc__,
        epilog="examples:\n  python pipeline.py --quick\n  python pipeline.py training.csv --networks base v2",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("inputs", nargs="*", metavar="INPUT", help=f"as in data_prep.prepare (default: {SYNTHETIC})")
    add_out_option(p, Path("artifacts"))
    p.add_argument("--quick", action="store_true", help=f"{QUICK_FACES} synthetic faces, {QUICK_EPOCHS} epochs")
    p.add_argument("--force", action="store_true", help="run all stages, even if they are up to date")
    p.add_argument("--seed", type=seed, metavar="N", help="random seed of every stage")
    data = p.add_argument_group("data", "as in data_prep.prepare")
    data.add_argument("--images", type=Path, metavar="DIR")
    data.add_argument("--keypoints", metavar="FILE.toml")
    data.add_argument("--category", metavar="NAME")
    data.add_argument("--reviewed", action="store_true", default=None)
    data.add_argument("--count", type=int, metavar="N")
    data.add_argument("--skip-bad", action="store_true", default=None)
    data.add_argument("--impute", choices=list(IMPUTERS))
    data.add_argument("--split", choices=SPLIT_METHODS)
    data.add_argument("--as", choices=["15"])
    data.add_argument("--size", type=int, metavar="PX")
    data.add_argument("--crop", choices=CROPS)
    data.add_argument("--color", action="store_true", default=None)
    data.add_argument("--exif", choices=EXIF)
    training = p.add_argument_group("training", "as in training.train")
    training.add_argument(
        "--networks",
        nargs="+",
        metavar="NETWORK",
        help=f"networks to train (default: {' '.join(NETWORKS)}, or those that --recipe is for)",
    )
    training.add_argument("--recipe", choices=[name for name in RECIPES if name != FINETUNE])
    training.add_argument("--epochs", type=int, metavar="N")
    training.add_argument("--seeds", type=positive(int), metavar="N")
    training.add_argument(
        "--export", action="store_true", help=f"add {ONNX_FILE} to each model, for facial-keypoints predict --model"
    )
    return p


def networks_for(recipe: str | None) -> tuple[str, ...]:
    """Returns the default networks of a recipe: the one of its name, else those of `NETWORKS` without their own recipe.

    Without a recipe: all of `NETWORKS`.
    """
    if recipe in network_names():
        return (recipe,)
    return tuple(name for name in NETWORKS if recipe is None or default_recipe(name) == "default")


def steps(options: argparse.Namespace) -> list[Step]:
    """Returns the stages in the order in which they run.

    Raises:
        InputError: a network has no file, or two share a name.
    """
    inputs = options.inputs or [SYNTHETIC]
    if options.quick:
        options.count = options.count or (QUICK_FACES if SYNTHETIC in inputs else None)
        options.epochs = options.epochs or QUICK_EPOCHS
    networks = {network_name(network): network for network in options.networks or networks_for(options.recipe)}
    if options.networks and len(networks) < len(options.networks):
        raise InputError(f"--networks {' '.join(options.networks)}: two networks have one name; rename a file")
    runs: list[tuple[str, str, int | None]] = [  # network, name of its folders, seed if one is given
        (network, name, options.seed) if options.seeds is None else (network, f"{name}_seed{number}", number)
        for name, network in networks.items()
        for number in range(options.seed or 0, (options.seed or 0) + (options.seeds or 1))
    ]
    data, models, evaluations = (options.out / name for name in ("data", "models", "evaluation"))

    def data_input() -> dict[str, str]:
        return {"data": data_hash(load_data_manifest(data))}

    def input_hashes_now() -> dict[str, str]:
        return input_hashes(inputs, options.count, options.seed or 0, options.keypoints, options.images)

    prepare = ["data_prep.prepare", *inputs, "--out", str(data)]
    todo = [Step(data, PREPARE, prepare + flags(options, *PREPARE_OPTIONS), input_hashes_now)]
    for network, name, number in runs:
        out = models / name
        command = ["training.train", network, "--data", str(data), "--out", str(out)]
        recipe = resolve(network_name(network), options.recipe, {"epochs": options.epochs})
        settings = {**recipe.parameters(), "backend": backend_name()}
        command += flags(options, "recipe", "epochs")
        command += [] if number is None else ["--seed", str(number)]
        todo.append(Step(out, TRAIN, command, data_input, settings, code=(network_file(network),)))
    for _, name, _ in runs:
        model, out = models / name, evaluations / name
        command = ["evaluation.evaluate", str(model), "--data", str(data), "--out", str(out)]

        def model_input(model: Path = model) -> dict[str, str]:
            return data_input() | {"model": file_hash(model / KERAS_FILE)}

        todo.append(Step(out, EVALUATE, command, model_input))
    out = options.out / "comparison"
    command = ["evaluation.compare", "--evaluations", str(evaluations), "--data", str(data), "--out", str(out)]
    todo.append(Step(out, COMPARE, command, always=True))
    if options.export:
        todo += [
            Step(models / name, TRAIN, ["training.export", str(models / name)], adds=ONNX_FILE) for _, name, _ in runs
        ]
    return todo


def flags(options: argparse.Namespace, *names: str) -> list[str]:
    """Returns the options of these names that are set, as arguments for a command."""
    values = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return [
        word
        for name, value in values.items()
        for word in (["--" + name.replace("_", "-")] + ([] if value is True else [str(value)]))
    ]


def reason_to_run(step: Step) -> str | None:
    """Returns why the step must run, or None if its folder is up to date."""
    if step.always:
        return "it is quick and prints the table"
    if not step.out.exists():
        return "nothing there yet"
    if step.adds:  # training replaces its folder, without this file
        return None if (step.out / step.adds).exists() else f"no {step.adds} yet"
    try:
        return what_changed(step, read_manifest(step.out, step.stage))
    except InputError as error:
        return str(error)


def what_changed(step: Step, manifest: Mapping[str, Any]) -> str | None:
    """Returns what has changed since the manifest of the step was written; None if nothing has."""
    words = manifest["command"].split(" ")
    if (before := " ".join(word for word in words if word not in RESUME)) != step.text:
        return f"it was made by another command: {before}"
    if manifest["inputs"] != step.inputs():
        return "its input has changed"
    old = manifest["parameters"]
    values = [f"{name} was {old.get(name)}, is {new}" for name, new in step.parameters.items() if old.get(name) != new]
    if values:
        return f"its settings have changed: {', '.join(values)}"
    if files := changed_files(manifest.get("code", {}), stage_code(step.stage, step.code)):
        return f"code has changed: {listed(files)}"
    return None


def run_stage(step: Step, number: str, force: bool) -> None:
    """Runs the step if necessary; exits with its exit code if it fails."""
    reason = "of --force" if force else reason_to_run(step)
    print(f"\n[{number}] {step.text}", flush=True)
    if reason is None:
        print(f"up to date: {step.out}", flush=True)
        return
    unfinished = step.out.with_name(step.out.name + ".unfinished").exists()
    print(f"runs because: {'an earlier run was interrupted' if unfinished else reason}", flush=True)
    extra = (["--restart"] if force else RESUME) if unfinished else []
    process = subprocess.Popen([sys.executable, "-m", *step.command, *extra])
    try:
        code = process.wait()
    except KeyboardInterrupt:  # the step gets the interrupt too, and cleans up
        process.wait()
        raise
    if code:
        sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    todo = steps(options)
    for number, step in enumerate(todo, start=1):
        run_stage(step, f"{number}/{len(todo)}", options.force)
    print(f"\nall stages done in {seconds_text(time.time() - started)}: read {options.out}/comparison/comparison.md")


if __name__ == "__main__":
    run(main)
