"""One answer to a file of marks: what `grade` runs in a process of its own."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    """Marks one file and writes the marks, or why there are none."""
    parser = argparse.ArgumentParser(prog="python -m gradproof.exercise")
    parser.add_argument("answer", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--exercise", type=Path)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--solution", action="store_true")
    parser.add_argument("--lang")
    options = parser.parse_args()
    _limit_memory(options.gigabytes)
    try:
        text = _marks(options)
    except MemoryError:
        text = json.dumps({"memory": True})
    options.result.write_text(text, encoding="utf-8")
    return 0


def _limit_memory(gigabytes: float) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit: the time remains
        return
    most = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _marks(options: argparse.Namespace) -> str:
    from gradproof.core.errors import GradproofError
    from gradproof.core.told import told
    from gradproof.exercise.marking import Marked, mark
    from gradproof.exercise.writing import asked_of, same_forward
    from gradproof.trace.source import read_file
    from gradproof.words import in_language, language

    name, lang = options.answer.stem, language(options.lang)
    try:
        asked = None
        answer = read_file(options.answer)
        if options.exercise is not None:
            original = read_file(options.exercise)
            asked = asked_of(original)
            if not same_forward(original, answer):
                problem = told("Its forward is not the exercise's.")
                return in_language(Marked(name, problem=problem), lang).to_json()
        marked = mark(answer, asked=asked, seed=options.seed, solution=options.solution)
        return in_language(marked, lang).to_json()
    except GradproofError as problem:
        if isinstance(problem.__cause__, MemoryError):
            raise MemoryError from problem
        return in_language(Marked(name, problem=problem.said), lang).to_json()


if __name__ == "__main__":
    sys.exit(main())
