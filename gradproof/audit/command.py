"""A command that runs tests to the same command under audit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from gradproof.core.errors import DataError
from gradproof.core.told import told

PLUGIN = "gradproof.pytest_plugin"

USAGE = 4
"""pytest's exit code of a call that is wrong."""


def audit_command(command: str, targets: Sequence[str], lang: str) -> int:
    """Runs tests as a user does, and again with wrong gradients; pytest prints the report.

    Args:
        command: ``pytest …`` or ``python -m pytest …``, as in a shell.
        targets: what is audited, as ``module:name``; all that can be found if there are none.
        lang: the language of the report.

    Returns:
        0 every wrong gradient is caught, 1 some pass or tests fail as they are, 2 the call is wrong
        or nothing is audited.

    Raises:
        DataError: the command does not run pytest.
    """
    words = shlex.split(command)
    if words[:1] != ["pytest"] and words[1:3] != ["-m", "pytest"]:
        raise DataError(
            told("{command} does not run pytest.", command=repr(command)),
            advice=told('Write it as in a shell:  gradproof audit "pytest tests/test_layer.py"'),
        )
    python, rest = (sys.executable, words[1:]) if words[0] == "pytest" else (words[0], words[3:])
    installed = any(one.value == PLUGIN for one in entry_points(group="pytest11"))
    options = [] if installed else ["-p", PLUGIN]
    options += ["--gradproof-audit", *(f"--gradproof-audit-of={one}" for one in targets)]
    # As `python -m` does and `pytest` alone does not, the current folder can be imported from.
    done = subprocess.run(
        [python, "-m", "pytest", *options, *rest],
        env={**os.environ, "GRADPROOF_LANG": lang},
        check=False,
    )
    return 2 if done.returncode == USAGE else done.returncode
