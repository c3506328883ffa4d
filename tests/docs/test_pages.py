"""The pages: short texts and sentences, links that resolve, and commands whose flags exist."""

import contextlib
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCS = ROOT / "docs"
NAMES = (
    "photos",
    "clips",
    "filters",
    "preparing",
    "your-keypoints",
    "labelling",
    "training",
    "evaluating",
    "inspecting",
    "web",
    "python",
)
GUIDE = [DOCS / f"{name}.md" for name in NAMES]
SHORT_SENTENCES = [*GUIDE, DOCS / "measures.md", DOCS / "scale-out.md", DOCS / "networks.md"]
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
CARDS = sorted((ROOT / "artifacts" / "pretrained").glob("*/README.md"))
PAGES = [README, CONTRIBUTING, *sorted(DOCS.rglob("*.md")), *CARDS]
COMMAND = re.compile(r"^(?:\.venv\S*python |python )-m ([\w.]+)|^python (pipeline)\.py|^(facial-keypoints)\b")
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
NOT_OURS = {"pip", "venv", "pytest"}  # modules of others

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def sentences(text: str) -> Iterator[str]:
    """Yields the sentences of a page: of paragraphs, items of lists and cells of tables."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", without_code(text))
    text = re.sub(r"`[^`]*`", "CODE", text)
    for block in re.split(r"\n\s*\n|\n(?=\s*[-*|#]|\s*\d+\. )", text):
        for cell in block.split("|") if block.lstrip().startswith("|") else [block]:
            yield from re.split(r"(?<=[.!?])\s+(?=[A-Z(*_])", " ".join(cell.split()))


def words(text: str) -> list[str]:
    return [word for word in text.split() if re.search(r"\w", word)]


def anchors(page: Path) -> set[str]:
    """Returns the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> Iterator[list[str]]:
    """Yields the commands of the project on a page, in blocks and in lines of text, as lists of words."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    for line in [*lines, *re.findall(r"`([^`\n]+)`", without_code(text))]:
        if COMMAND.match(line.strip()):
            yield shlex.split(line.replace("'", '"'), comments=True)


def help_of(module: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Returns what a command prints for `--help`."""
    with contextlib.suppress(SystemExit):
        importlib.import_module(module).main([*arguments, "--help"])
    printed = capsys.readouterr().out
    assert printed.startswith("usage: "), f"{module} {arguments}"
    return printed


def test_readme_and_guide_are_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) < 900
    assert sum(len(page.read_text(encoding="utf-8").split()) for page in GUIDE) < 6000


@pytest.mark.parametrize("page", SHORT_SENTENCES, ids=lambda page: page.stem)
def test_guide_sentences_have_at_most_30_words(page: Path) -> None:
    long = [sentence for sentence in sentences(page.read_text(encoding="utf-8")) if len(words(sentence)) > 30]
    assert not long


def test_words_are_counted_per_sentence_list_item_and_table_cell() -> None:
    text = "Run it. See `a b c`\n- one, two\n- three. Four\n\n| a b | c |\n```\nno sentence at all\n```\n"
    assert [len(words(one)) for one in sentences(text) if words(one)] == [2, 2, 2, 1, 1, 2, 1]


@by_page
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if target.startswith(("http:", "https:")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def test_every_page_and_picture_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [README]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        if page.suffix != ".md":
            continue
        links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", without_code(page.read_text(encoding="utf-8")))
        waiting += [(page.parent / link).resolve() for link in links if not link.startswith("http")]
    pictures = [*DOCS.rglob("*.png"), *DOCS.rglob("*.jpg")]
    unreached = {file for file in [*PAGES, *pictures] if file not in reached}
    assert unreached == {DOCS / "example.jpg"}  # only code reads it


@by_page
def test_flags_of_commands_exist(page: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each flag after a command is in the help of that command, which includes the options of a network's `build`."""
    for command in commands(page):
        module = command[2] if command[0] != "facial-keypoints" and command[1] == "-m" else None
        module = module or ("facial_keypoints" if command[0] == "facial-keypoints" else "pipeline")
        flags = {word.partition("=")[0].strip("[]") for word in command if FLAG.fullmatch(word.strip("[]"))}
        if module.partition(".")[0] in NOT_OURS or not flags:
            continue
        first = command[3] if command[0] != "facial-keypoints" else command[1]
        arguments = [first] if module == "facial_keypoints" else []
        if module == "scale_out.sweep":  # it takes the options of training.train as well
            flags -= set(FLAG.findall(help_of("training.train", [first], capsys)))
            module, arguments = "scale_out.sweep", [first]
        if module == "training.train":
            arguments = [str(write_my_network(tmp_path)) if first == "my_network.py" else first]
        module = "facial_keypoints.__main__" if module == "facial_keypoints" else module
        known = set(FLAG.findall(help_of(module, arguments, capsys)))
        assert flags <= known, shlex.join(command)


def write_my_network(folder: Path) -> Path:
    """Writes the network that docs/training.md shows."""
    text = (DOCS / "training.md").read_text(encoding="utf-8")
    found = re.search(r"^```python\n(# my_network.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    file = folder / "my_network.py"
    file.write_text(found[1], encoding="utf-8")
    return file


def test_flags_in_readme_and_guide_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Each flag that README and guide name belongs to some command."""
    known = set[str]()
    for name in ("predict", "filter", "align", "live"):
        known |= set(FLAG.findall(help_of("facial_keypoints.__main__", [name], capsys)))
    for module in ("data_prep.prepare", "data_prep.pseudo_label", "training.export", "evaluation.evaluate"):
        known |= set(FLAG.findall(help_of(module, [], capsys)))
    for module in ("evaluation.compare", "evaluation.inspect", "evaluation.submit", "web.app", "pipeline"):
        known |= set(FLAG.findall(help_of(module, [], capsys)))
    for network in ("vgg16", "naimishnet"):
        known |= set(FLAG.findall(help_of("training.train", [network], capsys)))
    own = "--filters"  # of the example network
    for page in (README, *GUIDE, DOCS / "networks.md"):
        for flag in FLAG.findall(page.read_text(encoding="utf-8")):
            assert flag in {*known, own}, f"{page.name}: {flag}"
