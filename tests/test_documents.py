"""What the documents show is what happens: their code runs, their commands hold."""

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from gradproof.cli import main

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: the language after its fence, and its lines."""

    page: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    return [Block(page.name, language, text) for language, text in fenced]


def commands(page: Path, program: str) -> list[str]:
    """The lines of unnamed blocks that call a program, without what is said after ``  #``."""
    return [
        line.partition("  #")[0].strip()
        for block in blocks(page)
        if block.language == ""
        for line in block.text.splitlines()
        if re.match(rf"(\.venv/bin/)?{program} ", line)
    ]


README = ROOT / "README.md"
PAPER = next(b.text for b in blocks(README) if "def backward" in b.text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the README's paper and, from its own code, its data."""
    (tmp_path / "my_network.py").write_text(PAPER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_network", raising=False)
    saving = next(b.text for b in blocks(README) if "np.savez" in b.text)
    exec(compile(saving, "README.md", "exec"), {})
    return tmp_path


@pytest.mark.parametrize(
    "block",
    [b for page in PAGES for b in blocks(page) if b.language == "python"],
    ids=lambda block: f"{block.page}: {block.text.splitlines()[0]}",
)
def test_the_code_of_a_page_runs(block, folder):
    space: dict[str, object] = {}
    if block.page == "CONTRIBUTING.md":  # a record, as it stands in this file
        exec("from gradproof.prims.elementwise import *", space)
        exec("from gradproof.prims.elementwise import _exp", space)
    exec(compile(block.text, block.page, "exec"), space)


def certified(folder):
    """The certificate that the README checks: of its paper with a mistake in ∂l/∂z2."""
    wrong = PAPER.replace("gp.sigmoid.derivative(z2)", "gp.sigmoid.derivative(a2)")
    assert wrong != PAPER
    path = folder / "my_network.py"
    path.write_text(wrong, encoding="utf-8")
    assert main(["verify", "my_network.py", "--engine", "numpy", "--certificates", "out"]) == 1
    path.write_text(PAPER, encoding="utf-8")


@pytest.mark.parametrize("line", commands(README, "gradproof"))
def test_a_command_of_the_readme_holds(line, folder, capsys):
    if "out/my_network-z2.json" in line:
        certified(folder)
    assert main(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out


def test_the_list_that_the_readme_saves_is_understood(folder, capsys):
    paper = 'def forward(x: "n 3", Ws: ["3 5", "5 4"]):\n'
    paper += "    for W in Ws:\n        x = x @ W\n    return (x * x).sum()\n"
    Path("deep.py").write_text(paper)
    assert main(["verify", "deep.py", "--inputs", "list.npz", "--engine", "numpy"]) == 0


def test_the_readme_shows_what_the_main_command_prints(capsys, request):
    """Up to the last digits, which differ by machine; ``--refresh-golden`` pastes it anew."""
    command = "gradproof verify fnn --engine tensorflow"
    text = README.read_text("utf-8")
    before, _, rest = text.partition(f"`{command}`:\n\n```\n")
    shown, _, after = rest.partition("```")
    assert main(shlex.split(command)[1:]) == 0
    printed = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
    if request.config.getoption("--refresh-golden"):
        README.write_text(f"{before}`{command}`:\n\n```\n{printed}```{after}", encoding="utf-8")
        shown = printed
    assert _without_digits(shown) == _without_digits(printed), "pytest --refresh-golden"


def _without_digits(text: str) -> list[str]:
    lines = [
        " ".join(re.sub(r"-?\d+\.\d+\S*", "#", line).split())
        for line in text.splitlines()
        if " is not installed: " not in line
    ]
    return [line for line in lines if line]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")
def test_make_verify_installs_tensorflow_and_runs_the_main_command(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = subprocess.run(
        ["make", "--dry-run", "verify"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    made = next(i for i, line in enumerate(lines) if "-m venv .venv" in line)
    installed = next(i for i, line in enumerate(lines) if '--editable ".[tensorflow]"' in line)
    ran = lines.index(".venv/bin/gradproof verify fnn --engine tensorflow")
    assert made < installed < ran


def test_the_links_of_the_pages_lead_to_files():
    for page in (*PAGES, ROOT / "benchmarks" / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), (page, target)


def test_the_contributors_table_has_every_room_on_its_floor():
    contract = (ROOT / "pyproject.toml").read_text("utf-8")
    layers = re.findall(r'^    "([^"]+)",$', contract.partition("\nlayers = [")[2], re.M)
    here = {path.stem for path in (ROOT / "gradproof").iterdir() if not path.name.startswith("_")}
    floors = [
        {name for name in re.findall(r"\w+", layer) if name in here}
        for layer in layers[: layers.index("core") + 1]
    ]
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| \d+ \| (.+?) \| .+ \|$", text, re.M)
    shown = [set(re.findall(r"`(\w+)/?`", row)) for row in rows]
    assert shown == [floor for floor in floors if floor]
