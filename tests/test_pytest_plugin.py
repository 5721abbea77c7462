"""The pytest plugin, in a pytest of its own: whether it is installed as an entry point or not."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = """
import numpy as np
import pytest


def paper(x: "n d", W: "d k"):
    return x @ W


def right(x, W):
    return x @ W, lambda g: (g @ W.T, x.T @ g)


def wrong(x, W):
    return x @ W, lambda g: (g @ W.T, x.T @ g / x.shape[0])
"""


def run(folder, text, *options):
    """What pytest says of a file with this text."""
    (folder / "test_layers.py").write_text(LAYERS + text, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    installed = any(e.value == "gradproof.pytest_plugin" for e in entry_points(group="pytest11"))
    plugin = [] if installed else ["-p", "gradproof.pytest_plugin"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--strict-markers", *plugin, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_the_fixture_asserts_and_the_failure_is_the_story_alone(tmp_path):
    done = run(
        tmp_path,
        """
@pytest.mark.gradproof(engine="numpy", dtype="float64")
def test_right(gradproof):
    report = gradproof(right, paper)
    assert report.ok and report.dtype == "float64" and report.seed == 7


@pytest.mark.gradproof(engine="numpy")
def test_wrong(gradproof):
    gradproof(wrong, paper, dtype="float32")


@pytest.mark.gradproof(engine="numpy")
def test_a_report(gradproof):
    assert gradproof.check(wrong, paper).kinds == ("agrees", "agrees", "refuted")
""",
        "--gradproof-seed=7",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout
    said = done.stdout.partition("test_wrong")[2].splitlines()
    story = said[1 : next(k for k, line in enumerate(said) if "short test summary" in line)]
    assert story[0] == "wrong in float32: refuted: ∂l/∂W; 2 of 3 tensors agree."
    assert "seed=7" in story[-2] and len(story) < 15, story
    assert any("The mean over the n terms stands" in line for line in story)


def test_it_works_with_several_workers(tmp_path):
    done = run(
        tmp_path,
        """
@pytest.mark.gradproof(engine="numpy")
@pytest.mark.parametrize("layer", [right, wrong])
def test_layer(gradproof, layer):
    gradproof(layer, paper)
""",
        "-n1",
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr


def test_a_marker_takes_its_options_by_name(tmp_path):
    done = run(
        tmp_path,
        """
@pytest.mark.gradproof("numpy")
def test_layer(gradproof):
    gradproof(right, paper)
""",
    )
    assert "takes options by name" in done.stdout and "1 error" in done.stdout, done.stdout


@pytest.mark.parametrize("used", ["", "(gradproof)"])
def test_nothing_heavy_is_loaded_before_the_fixture_is_called(tmp_path, used):
    done = run(
        tmp_path,
        f"""
import sys


def test_nothing{used or "()"}:
    heavy = ("flint", "rich", "gradproof.core", "gradproof.blackbox", "torch", "jax", "tensorflow")
    loaded = {{name for name in sys.modules if name.startswith("gradproof")}}
    assert loaded <= {{"gradproof", "gradproof.pytest_plugin"}}, loaded
    assert not [name for name in heavy if name in sys.modules]
""",
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
