"""All stages in order: prepare, train, evaluate, compare. A stage that is up to date is skipped.

    python pipeline.py            the built-in synthetic faces
    python pipeline.py SOURCE     your own: see `python -m data_prep.prepare --help`

It runs the very commands that a user would type, and prints each one with the reason why it runs.
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.stage import file_hash, read_manifest, seconds_text, seed
from data_prep.arrays import data_hash, load_data_manifest
from data_prep.impute import IMPUTERS
from data_prep.prepare import SYNTHETIC, source_hash
from data_prep.split import SPLIT_METHODS
from facial_keypoints.errors import InputError, run
from training.recipes import NETWORKS, RECIPES, networks_for

QUICK_FACES, QUICK_EPOCHS = 2000, 8  # some minutes on two cores
RESUME = ["--resume", "--restart"]  # go on with a broken-off training, or start over where its settings were others


@dataclass(frozen=True)
class Stage:
    """One command.

    Attributes:
        out: the folder it writes.
        name: in `common.stage.COMMANDS`.
        command: its module and arguments.
        inputs: returns the hashes of what it reads, as its manifest records them; asked when its turn comes. None:
            the stage runs always.
    """

    out: Path
    name: str
    command: list[str]
    inputs: Callable[[], dict[str, str]] | None

    @property
    def text(self) -> str:
        return shlex.join(["python", "-m", *self.command])


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python pipeline.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("source", nargs="?", default=SYNTHETIC, metavar="SOURCE", help="default: %(default)s")
    p.add_argument("--out", type=Path, default=Path("artifacts"), help="default: %(default)s")
    p.add_argument("--models", nargs="+", choices=NETWORKS, help="default: all that the recipe is for")
    p.add_argument("--split", choices=SPLIT_METHODS, help="as in data_prep.prepare")
    p.add_argument("--impute", choices=list(IMPUTERS), help="as in data_prep.prepare")
    p.add_argument("--count", type=int, help="how many synthetic faces to draw")
    p.add_argument("--recipe", choices=list(RECIPES), help="as in training.train")
    p.add_argument("--epochs", type=int, help="as in training.train")
    p.add_argument("--seed", type=seed, help="of every stage")
    p.add_argument("--quick", action="store_true", help=f"{QUICK_FACES} synthetic faces, {QUICK_EPOCHS} epochs")
    p.add_argument("--force", action="store_true", help="run every stage, up to date or not")
    return p


def stages(options: argparse.Namespace) -> list[Stage]:
    """Returns the stages in the order in which they run."""
    if options.quick:
        options.count = options.count or (QUICK_FACES if options.source == SYNTHETIC else None)
        options.epochs = options.epochs or QUICK_EPOCHS
    options.models = options.models or networks_for(options.recipe)
    data, models = options.out / "data", options.out / "models"
    evaluations = options.out / "evaluation"

    def prepare_inputs() -> dict[str, str]:
        return source_hash(options.source, options.count, options.seed or 0)

    def train_inputs() -> dict[str, str]:
        return {"data": data_hash(load_data_manifest(data))}

    def evaluate_inputs(name: str) -> dict[str, str]:
        return train_inputs() | {"model": file_hash(models / name / "model.keras")}

    prepare = [
        "data_prep.prepare",
        options.source,
        "--out",
        str(data),
        *flags(options, "split", "impute", "count", "seed"),
    ]
    result = [Stage(data, "prepare", prepare, prepare_inputs)]
    for name in options.models:
        train = ["training.train", name, "--data", str(data), "--out", str(models / name)]
        train += flags(options, "recipe", "epochs", "seed")
        result.append(Stage(models / name, "train", train, train_inputs))
    for name in options.models:
        evaluate = ["evaluation.evaluate", str(models / name), "--data", str(data), "--out", str(evaluations / name)]
        result.append(Stage(evaluations / name, "evaluate", evaluate, lambda name=name: evaluate_inputs(name)))  # type: ignore[misc]
    comparison = options.out / "comparison"
    compare = ["evaluation.compare", "--evaluations", str(evaluations), "--data", str(data), "--out", str(comparison)]
    return [*result, Stage(comparison, "compare", compare, None)]


def flags(options: argparse.Namespace, *names: str) -> list[str]:
    """Returns the options that were given, as arguments to pass on."""
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return [word for name, value in given.items() for word in (f"--{name}", str(value))]


def reason_to_run(stage: Stage) -> str | None:
    """Returns why the stage must run, or None where its folder is what it would write."""
    if stage.inputs is None:
        return "it takes a moment and shows the table"
    if not stage.out.exists():
        return "nothing there yet"
    try:
        manifest = read_manifest(stage.out, stage.name)
    except InputError as error:
        return str(error)
    if (before := manifest["command"].removesuffix(" " + " ".join(RESUME))) != stage.text:
        return f"it was made by another command: {before}"
    if manifest["inputs"] != stage.inputs():
        return "its input has changed"
    return None


def run_stage(stage: Stage, number: str, force: bool) -> None:
    """Runs the stage where it must; ends the program with its exit code where it fails."""
    reason = "asked to" if force else reason_to_run(stage)
    print(f"\n[{number}] {stage.text}", flush=True)
    if reason is None:
        print(f"up to date: {stage.out}", flush=True)
        return
    unfinished = stage.out.with_name(stage.out.name + ".unfinished").exists()
    print(f"runs because: {'an earlier run was broken off' if unfinished else reason}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", *stage.command, *(RESUME if unfinished else [])])
    try:
        code = process.wait()
    except KeyboardInterrupt:  # the stage was told too, and tidies up
        process.wait()
        raise
    if code:
        sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    started = time.time()
    options = parser().parse_args(arguments)
    todo = stages(options)
    for number, stage in enumerate(todo, start=1):
        run_stage(stage, f"{number}/{len(todo)}", options.force)
    print(f"\nall stages done in {seconds_text(time.time() - started)}: read {options.out}/comparison/comparison.md")


if __name__ == "__main__":
    run(main)
