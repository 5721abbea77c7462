"""A folder of answers to the marks of each, every file in a process of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from gradproof.core.errors import DataError
from gradproof.core.told import told
from gradproof.exercise.marking import WORDS, Mark, Marked, number
from gradproof.words import in_language, say, sentence
from gradproof.words.say import ENGLISH

LARGEST_RESULT = 2**26
"""Bytes of marks that are read from a process; an answer that prints more has gone astray."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What each file may use: seconds by the clock, and gigabytes of memory (on Unix)."""

    seconds: float = 60.0
    gigabytes: float = 4.0


@dataclass(frozen=True, slots=True)
class Grades:
    """The marks of a class. ``carried`` is what a formula that builds on a mistake is worth."""

    exercise: str
    files: tuple[Marked, ...]
    carried: Fraction

    @property
    def asked(self) -> tuple[str, ...]:
        """Every gradient that is marked in some file, in order."""
        return tuple(dict.fromkeys(mark.of for one in self.files for mark in one.marks))


def grade(
    folder: str | Path,
    exercise: str | Path | None = None,
    *,
    limits: Limits | None = None,
    carried: Fraction = Fraction(1, 2),
    seed: int | None = None,
    solution: bool = False,
    lang: str = ENGLISH,
    watch: Callable[[str, int, int], None] | None = None,
) -> Grades:
    """The marks of every ``.py`` file of a folder.

    Each file runs in a process of its own, in an empty folder, under limits: one that does not end,
    takes all memory or crashes spoils its own marks only. That is no shelter from a file that means
    harm: it may do on this machine what its user may do.

    Args:
        folder: with the files that were handed in.
        exercise: the file that was handed out. What it asks for is marked, and an answer must have
            its forward. Without it each file is marked by what it says itself.
        limits: for each file.
        carried: the points of a formula that is right given an earlier mistake.
        seed: of the data that is drawn.
        solution: whether the marks show right formulas.
        lang: the language of the hints.
        watch: called before each file with its name, how many are done and how many there are.

    Raises:
        DataError: there is no such folder or exercise, or no file in it.
    """
    place = Path(folder)
    if not place.is_dir():
        raise DataError(told("There is no folder {place}.", place=place))
    original = None if exercise is None else Path(exercise).resolve()
    if original is not None and not original.is_file():
        raise DataError(told("There is no file {exercise}.", exercise=exercise))
    files = [file for file in sorted(place.glob("*.py")) if file.resolve() != original]
    if not files:
        raise DataError(told("{place} has no answers: no file name.py.", place=place))
    found = []
    for done, file in enumerate(files):
        if watch is not None:
            watch(file.name, done, len(files))
        found.append(_apart(file, original, limits or Limits(), seed, lang, solution=solution))
    return Grades("" if original is None else original.name, tuple(found), carried)


def _apart(
    file: Path,
    original: Path | None,
    limits: Limits,
    seed: int | None,
    lang: str,
    *,
    solution: bool,
) -> Marked:
    """The marks of one file, made in a process that can do nothing to this one."""
    with tempfile.TemporaryDirectory(prefix="gradproof-") as folder:
        answer = Path(folder) / "answer" / file.name
        answer.parent.mkdir()
        shutil.copyfile(file, answer)
        result = Path(folder) / "marks.json"
        command = [sys.executable, "-m", "gradproof.exercise", str(answer), str(result)]
        command += ["--gigabytes", str(limits.gigabytes)]
        command += [] if original is None else ["--exercise", str(original)]
        command += [] if seed is None else ["--seed", str(seed)]
        command += ["--solution"] if solution else []
        command += ["--lang", lang]
        process = subprocess.Popen(
            command,
            cwd=answer.parent,
            env={**os.environ, **_paths(), "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            late = told("It did not end within {seconds:g} seconds.", seconds=limits.seconds)
            return in_language(Marked(file.stem, problem=late), lang)
        finally:
            _end(process)
        return in_language(_read(file.stem, result, code, limits), lang)


def _paths() -> dict[str, str]:
    """Where the process finds what this one found, from another folder."""
    return {"PYTHONPATH": os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p)}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process with all that it started."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.kill()
    else:
        process.kill()
    process.wait()


def _read(name: str, result: Path, code: int, limits: Limits) -> Marked:
    if not result.is_file() or result.stat().st_size > LARGEST_RESULT:
        if code < 0:
            by = signal.Signals(-code).name if -code in list(signal.Signals) else str(-code)
            return Marked(name, problem=told("Its process was ended by {signal}.", signal=by))
        problem = told("Its process ended with {code} and left no marks.", code=code)
        return Marked(name, problem=problem)
    said = json.loads(result.read_text(encoding="utf-8"))
    if said.get("memory"):
        problem = told("It needs more than {size:g} GB of memory.", size=limits.gigabytes)
        return Marked(name, problem=problem)
    return read_marks(name, said)


def read_marks(name: str, said: Mapping[str, object]) -> Marked:
    """What `Marked.to_json` wrote."""
    marks = said["marks"]
    assert isinstance(marks, Sequence)
    made = tuple(Mark(**{**one, "hints": tuple(one["hints"])}) for one in marks)
    return Marked(name, made, str(said["problem"]))


HEADS = (sentence("file"), sentence("points"), sentence("of"))


def to_csv(grades: Grades, lang: str = ENGLISH) -> str:
    """A row for each file: its points, a column for each gradient, and what went wrong."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([say(head, lang) for head in HEADS] + [*grades.asked, say("problem", lang)])
    for one in grades.files:
        kinds = {mark.of: say(WORDS[mark.kind], lang) for mark in one.marks}
        marks = [kinds.get(of, "") for of in grades.asked]
        points = number(one.points(grades.carried))
        row = [one.name, points, str(len(grades.asked)), *marks, one.problem]
        writer.writerow([_harmless(cell) for cell in row])
    return out.getvalue()


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet takes for text: the name of a file may begin like a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
