"""All stages in order: prepare, train, evaluate, compare. A stage that is up to date is skipped.

    python pipeline.py            the built-in synthetic faces
    python pipeline.py INPUT     your own: see `python -m data_prep.prepare --help`

It runs the very commands that a user would type, and prints each one with the reason why it runs.
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from common.backend import backend_name
from common.code import changed_files
from common.hashes import file_hash
from common.stage import Stage, read_manifest, seconds_text, seed, stage_code
from data_prep.arrays import PREPARE, data_hash, load_data_manifest
from data_prep.crop import CROPS
from data_prep.impute import IMPUTERS
from data_prep.inputs import SYNTHETIC
from data_prep.prepare import input_hashes
from data_prep.readers.pictures import EXIF
from data_prep.split import SPLIT_METHODS
from evaluation.stages import COMPARE, EVALUATE
from facial_keypoints.errors import InputError, run
from facial_keypoints.pretrained import KERAS_FILE
from models.networks import network_file, network_name, network_names
from models.saved import TRAIN
from training.recipes import RECIPES, default_recipe, resolve
from training.train import seed_count

NETWORKS = ("base", "v1", "v2")
PREPARE_OPTIONS = ("as", "size", "crop", "color", "split", "impute", "count", "seed", "skip_bad", "exif")
QUICK_FACES, QUICK_EPOCHS = 2000, 8  # some minutes on two cores
RESUME = ["--resume", "--restart"]  # go on with a broken-off training, or start over where its settings were others


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes:
        out: the folder it writes.
        stage: the stage that it runs.
        command: its module and arguments.
        inputs: returns the hashes of what it reads, as its manifest records them; asked when its turn comes.
        parameters: values that its manifest must hold, because they follow from more than the command.
        code: files of code that it loads by name.
        always: it takes a moment and shows the table, so it runs in any case.
    """

    out: Path
    stage: Stage
    command: list[str]
    inputs: Callable[[], dict[str, str]] = dict
    parameters: Mapping[str, Any] = field(default_factory=dict)
    code: tuple[Path, ...] = ()
    always: bool = False

    @property
    def text(self) -> str:
        return shlex.join(["python", "-m", *self.command])


class Run(NamedTuple):
    """A training run.

    Attributes:
        network: as `training.train` takes it.
        name: of the folders of its model and its evaluation.
        seed: None: the default.
    """

    network: str
    name: str
    seed: int | None


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python pipeline.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("inputs", nargs="*", metavar="INPUT", help=f"as in data_prep.prepare (default: {SYNTHETIC})")
    p.add_argument("--out", type=Path, default=Path("artifacts"), help="default: %(default)s")
    p.add_argument(
        "--networks",
        nargs="+",
        metavar="NETWORK",
        help=f"as in training.train (default: {' '.join(NETWORKS)}, or those that --recipe is for)",
    )
    p.add_argument("--as", choices=["15"], help="as in data_prep.prepare")
    p.add_argument("--size", type=int, help="as in data_prep.prepare")
    p.add_argument("--crop", choices=CROPS, help="as in data_prep.prepare")
    p.add_argument("--color", action="store_true", default=None, help="as in data_prep.prepare")
    p.add_argument("--skip-bad", action="store_true", default=None, help="as in data_prep.prepare")
    p.add_argument("--exif", choices=EXIF, help="as in data_prep.prepare")
    p.add_argument("--split", choices=SPLIT_METHODS, help="as in data_prep.prepare")
    p.add_argument("--impute", choices=list(IMPUTERS), help="as in data_prep.prepare")
    p.add_argument("--count", type=int, help="how many synthetic faces to draw")
    p.add_argument("--recipe", choices=list(RECIPES), help="as in training.train")
    p.add_argument("--epochs", type=int, help="as in training.train")
    p.add_argument("--seed", type=seed, help="of every stage")
    p.add_argument("--seeds", type=seed_count, help="as in training.train, with the seeds from --seed on")
    p.add_argument("--quick", action="store_true", help=f"{QUICK_FACES} synthetic faces, {QUICK_EPOCHS} epochs")
    p.add_argument("--force", action="store_true", help="run every stage, up to date or not")
    return p


def networks_for(recipe: str | None) -> tuple[str, ...]:
    """Returns which networks a recipe is for: the one of its name, else those of `NETWORKS` without one of their own.

    All of `NETWORKS` where no recipe is asked for.
    """
    if recipe in network_names():
        return (recipe,)
    return tuple(name for name in NETWORKS if recipe is None or default_recipe(name) == "default")


def steps(options: argparse.Namespace) -> list[Step]:
    """Returns the stages in the order in which they run.

    Raises:
        InputError: a network has no file, or two have one name.
    """
    inputs = options.inputs or [SYNTHETIC]
    if options.quick:
        options.count = options.count or (QUICK_FACES if SYNTHETIC in inputs else None)
        options.epochs = options.epochs or QUICK_EPOCHS
    networks = {network_name(network): network for network in options.networks or networks_for(options.recipe)}
    if options.networks and len(networks) < len(options.networks):
        raise InputError(f"--networks {' '.join(options.networks)}: two networks have one name; rename a file")
    runs = [
        Run(network, name, options.seed) if options.seeds is None else Run(network, f"{name}_seed{number}", number)
        for name, network in networks.items()
        for number in range(options.seed or 0, (options.seed or 0) + (options.seeds or 1))
    ]
    data, models, evaluations = (options.out / name for name in ("data", "models", "evaluation"))

    def data_input() -> dict[str, str]:
        return {"data": data_hash(load_data_manifest(data))}

    def input_hashes_now() -> dict[str, str]:
        return input_hashes(inputs, options.count, options.seed or 0)

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
    return [*todo, Step(out, COMPARE, command, always=True)]


def flags(options: argparse.Namespace, *names: str) -> list[str]:
    """Returns the options that were given, as arguments to pass on."""
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return [
        word
        for name, value in given.items()
        for word in (["--" + name.replace("_", "-")] + ([] if value is True else [str(value)]))
    ]


def reason_to_run(step: Step) -> str | None:
    """Returns in words why the step must run, or None where its folder is what it would write."""
    if step.always:
        return "it takes a moment and shows the table"
    if not step.out.exists():
        return "nothing there yet"
    try:
        return what_changed(step, read_manifest(step.out, step.stage))
    except InputError as error:
        return str(error)


def what_changed(step: Step, manifest: Mapping[str, Any]) -> str | None:
    """Returns in words what is no longer as the manifest of the step's folder says; None where nothing is."""
    words = manifest["command"].split(" ")
    if (before := " ".join(word for word in words if word not in RESUME)) != step.text:
        return f"it was made by another command: {before}"
    if manifest["inputs"] != step.inputs():
        return "its input has changed"
    was = manifest["parameters"]
    values = [f"{name} was {was.get(name)}, is {now}" for name, now in step.parameters.items() if was.get(name) != now]
    if values:
        return f"its settings have changed: {', '.join(values)}"
    if files := changed_files(manifest.get("code", {}), stage_code(step.stage, step.code)):
        return f"code has changed: {listed(files)}"
    return None


def listed(names: Sequence[str], most: int = 3) -> str:
    """Returns some of the names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more files" if len(names) > most else "")


def run_stage(step: Step, number: str, force: bool) -> None:
    """Runs the step where it must; ends the program with its exit code where it fails."""
    reason = "asked to" if force else reason_to_run(step)
    print(f"\n[{number}] {step.text}", flush=True)
    if reason is None:
        print(f"up to date: {step.out}", flush=True)
        return
    unfinished = step.out.with_name(step.out.name + ".unfinished").exists()
    print(f"runs because: {'an earlier run was broken off' if unfinished else reason}", flush=True)
    again = (["--restart"] if force else RESUME) if unfinished else []
    process = subprocess.Popen([sys.executable, "-m", *step.command, *again])
    try:
        code = process.wait()
    except KeyboardInterrupt:  # the step was told too, and tidies up
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
