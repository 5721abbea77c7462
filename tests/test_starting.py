"""What a command loads before it does anything: modules are counted, no time is measured."""

import json
import subprocess
import sys

import pytest

COMMANDS = {
    "--version": ([], 8, 125),
    "derive fnn": (["rich", "flint", "autograd"], 203, 598),
    "verify fnn --engine numpy": (["rich", "flint", "autograd"], 203, 598),
}
"""For each what of other people's packages it may load, and how many modules at most, ours and all.
A number is raised here only by somebody who means to."""

HEAVY = ("autograd", "flint", "jax", "jinja2", "rich", "tensorflow", "torch")
ROOMS = ("blackbox", "code", "exercise", "exporting", "unseen")

LOADED = """
import io, json, sys
from contextlib import redirect_stdout
from gradproof.cli import main
with redirect_stdout(io.StringIO()):
    try:
        main(sys.argv[1:])
    except SystemExit:
        pass
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_what_it_needs(command):
    allowed, ours, most = COMMANDS[command]
    run = subprocess.run(
        [sys.executable, "-c", LOADED, *command.split()], capture_output=True, text=True, check=True
    )
    loaded = json.loads(run.stdout)
    assert {name for name in HEAVY if name in loaded} <= set(allowed)
    rooms = [name for name in loaded if name.startswith("gradproof.")]
    assert not [room for room in ROOMS if f"gradproof.{room}" in rooms]
    assert len(rooms) <= ours, len(rooms)
    assert len(loaded) <= most, len(loaded)
