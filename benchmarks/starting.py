"""How long Python takes to start, to import gradproof, and to run a command."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

REPEATS = 11

STARTS = {
    "python, nothing imported": ["-c", "pass"],
    "import gradproof": ["-c", "import gradproof"],
    "import gradproof; gradproof.sigmoid": ["-c", "import gradproof; gradproof.sigmoid"],
    "import gradproof; gradproof.verify": ["-c", "import gradproof; gradproof.verify"],
    "gradproof derive fnn": ["-m", "gradproof", "derive", "fnn"],
    "gradproof verify fnn --engine numpy": [
        "-m",
        "gradproof",
        "verify",
        "fnn",
        "--engine",
        "numpy",
    ],
}


def seconds(arguments: list[str]) -> float:
    """The median time of a process."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    """Prints the seconds of each, from the start of the process to its end."""
    for what, arguments in STARTS.items():
        print(f"{what:38} {seconds(arguments):.3f} s")


if __name__ == "__main__":
    main()
