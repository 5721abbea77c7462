"""The command line: words to verbs, and errors to exit codes."""

from __future__ import annotations

import argparse
import inspect
import io
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradproof import __version__
from gradproof.core.errors import DataError, GradproofError, NetworkError
from gradproof.core.told import told, told_as_is, told_row
from gradproof.words import LANGUAGES, in_language, language, say, sentence
from gradproof.words.arguments import Parser, cells
from gradproof.words.say import ENGLISH, VARIABLE

if TYPE_CHECKING:
    from rich.console import Console

    from gradproof.report.checked import CheckReport
    from gradproof.report.looks import Looks
    from gradproof.report.report import Report
    from gradproof.report.unseen import PowerReport
    from gradproof.trace.source import Source


ALONE = (
    "network",
    "size",
    "inputs",
    "show",
    "certificates",
    "witness",
    "replay",
    "report",
    "hints",
    "solution",
)
"""Options of ``verify`` for one network, which do not go with ``--all``."""

UNUSED: dict[str, Any] = {
    "show": None,
    "certificates": None,
    "witness": False,
    "replay": False,
    "report": None,
    "dtype": "float32",
    "engine": "auto",
    "seed": 0,
    "size": [],
    "inputs": None,
    "json": False,
}
"""What options of ``verify`` are where nobody gave them."""

CERTIFIED = {
    "network": sentence("network"),
    "claim": sentence("claim"),
    "element": sentence("element"),
    "claimed": sentence("claimed"),
    "true": sentence("true"),
}
"""The lines of a certificate that is confirmed."""

PLAIN_WIDTH = 100
"""Columns of a report that goes to a file or a pipe."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0 all hold, 1 refuted, 2 wrong call or input, 3 undecided."""
    _speak_utf8()
    lang = ENGLISH
    try:
        lang = language(_asked_language(arguments))
        options = _parser(lang).parse_args(arguments)
        options.said_lang, options.lang = options.lang, lang
        result: int = options.run(options)
        return result
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return 0
    except GradproofError as problem:
        print(f"gradproof: {in_language(problem.said, lang)}", file=sys.stderr)
        return 2


def _asked_language(arguments: Sequence[str] | None) -> str | None:
    """The language that is asked for: the help and the errors of the rest are said in it, too."""
    parser = argparse.ArgumentParser(prog="gradproof", add_help=False, allow_abbrev=False)
    parser.add_argument("--lang")
    asked: str | None = parser.parse_known_args(arguments)[0].lang
    return asked


def _speak_utf8() -> None:
    """∂ and σ cannot be written in the C and GBK locales; UTF-8 is readable everywhere."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _parser(lang: str) -> argparse.ArgumentParser:
    parser = Parser(
        lang=lang,
        prog="gradproof",
        description=say(
            "Derive the gradients of a network, and verify every formula and number.", lang
        ),
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"gradproof {__version__}",
        help=say("show program's version number and exit", lang),
    )
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", parser_class=partial(Parser, lang=lang)
    )
    _verify_parser(commands, lang)
    _check_parser(commands, lang)
    _power_parser(commands, lang)
    _audit_parser(commands, lang)
    _derive_parser(commands, lang)
    _certificate_parser(commands, lang)
    _explain_parser(commands, lang)
    _report_parser(commands, lang)
    _export_parser(commands, lang)
    _gallery_parser(commands, lang)
    _new_parser(commands, lang)
    _exercise_parser(commands, lang)
    _grade_parser(commands, lang)
    for one in (parser, *commands.choices.values()):
        one.add_argument(
            "--lang",
            metavar="LANGUAGE",
            help=say(
                "of what is printed: {languages} (the variable {variable} without)",
                lang,
                languages=", ".join(LANGUAGES),
                variable=VARIABLE,
            ),
        )
    return parser


def _network_arguments(
    parser: argparse.ArgumentParser, lang: str = ENGLISH, **network: Any
) -> None:
    parser.add_argument(
        "network", help=say("a network of the gallery, or a file my_network.py", lang), **network
    )
    _size_argument(parser, lang)
    parser.add_argument(
        "--inputs",
        metavar="DATA.npz",
        help=say("your own arrays, by parameter name; a list is Ws[1], Ws[2], …", lang),
    )


def _size_argument(parser: argparse.ArgumentParser, lang: str) -> None:
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="n=5",
        help=say("a number for a size symbol; may be repeated", lang),
    )


def _engine_argument(parser: argparse.ArgumentParser, lang: str) -> None:
    parser.add_argument(
        "--engine",
        default="auto",
        help=say("numpy, tensorflow, torch, jax or auto (default)", lang),
    )


def _data_arguments(parser: argparse.ArgumentParser, lang: str) -> None:
    parser.add_argument(
        "--dtype", default="float32", choices=("float64", "float32", "bfloat16", "float16")
    )
    parser.add_argument("--seed", type=int, default=0, help=say("of the data that is drawn", lang))


def _verify_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "verify",
        help=say("check every formula and every engine's number", lang),
        description=say(
            "Check every formula of a network, and every number that an engine computes. "
            "Exit codes: 0 all hold, 1 something is refuted, 2 the call or the input is wrong "
            "(with --all: or a network could not be verified), 3 something is undecided.",
            lang,
        ),
    )
    _network_arguments(parser, lang, nargs="?")
    parser.add_argument(
        "--all",
        action="store_true",
        help=say(
            "every network of the gallery on every engine that is installed, or on --engine", lang
        ),
    )
    _engine_argument(parser, lang)
    _data_arguments(parser, lang)
    parser.add_argument(
        "--show", choices=("values",), help=say("print the tensors side by side", lang)
    )
    parser.add_argument("--json", action="store_true", help=say("print the report as JSON", lang))
    parser.add_argument(
        "--certificates",
        metavar="DIR",
        help=say("save the certificate of each refuted formula here", lang),
    )
    parser.add_argument(
        "--report", metavar="PAGE.html", help=say("write a page that shows everything, too", lang)
    )
    parser.add_argument(
        "--witness",
        action="store_true",
        help=say(
            "compare the derived gradients with a certified derivative that uses no rule", lang
        ),
    )
    parser.add_argument(
        "--replay",
        action="store_true",
        help=say("the published float32 numbers, operation by operation (fnn)", lang),
    )
    parser.add_argument(
        "--hints",
        action="store_true",
        help=say(
            "mark an exercise: right, wrong here, or right given an earlier mistake, with hints",
            lang,
        ),
    )
    parser.add_argument(
        "--solution", action="store_true", help=say("with --hints: the right formulas too", lang)
    )
    parser.set_defaults(run=_verify)


def _check_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "check",
        help=say("check gradients that a kernel saved, against a paper", lang),
        description=say(
            "Check arrays that a hand-written backward pass saved: the inputs by their "
            "names in the paper, gradients as dx, dl_dx or grad_x, and, where the paper returns no "
            "loss, the upstream gradient as g, dout or grad_output. Exit codes: 0 all hold, 1 "
            "something is refuted, 2 the call or the input is wrong, 3 something is undecided. "
            "Functions are checked in Python: gradproof.check.",
            lang,
        ),
    )
    parser.add_argument("arrays", metavar="DUMP.npz")
    parser.add_argument(
        "--paper",
        required=True,
        help=say("a network of the gallery, or a file my_network.py", lang),
    )
    parser.add_argument(
        "--dtype",
        choices=("float64", "float32", "bfloat16", "float16"),
        help=say("in which the arrays were computed (as they are stored without)", lang),
    )
    _size_argument(parser, lang)
    parser.add_argument("--json", action="store_true", help=say("print the report as JSON", lang))
    parser.set_defaults(run=_check)


def _audit_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "audit",
        help=say("say which wrong gradients your existing tests let pass", lang),
        description=say(
            "Run tests, and run those that pass again while the gradients of the project's own "
            "backward passes are made wrong: zero, the wrong sign, twice, a row dropped, "
            "transposed, swapped, one element off. The report says which wrong gradients pass. "
            "Exit codes: 0 all are caught, 1 some pass or tests fail as they are, 2 the call is "
            "wrong or nothing is audited.",
            lang,
        ),
    )
    parser.add_argument(
        "command",
        metavar="COMMAND",
        help=say('as in a shell: "pytest tests/test_layer.py"', lang),
    )
    parser.add_argument(
        "--of",
        action="append",
        default=[],
        metavar="MODULE:NAME",
        help=say(
            "audit this function or class and no other: also what cannot be found, as a function "
            "that returns its value and a pullback",
            lang,
        ),
    )
    parser.set_defaults(run=_audit)


def _power_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "power",
        help=say("say which mistakes given data, sizes and precision cannot show", lang),
        description=say(
            "Make every known mistake in every gradient of a network, and say which of "
            "them verify would not see at these data in this precision, and which data show them. "
            "Exit codes: 0 all are seen, 1 some are not, 2 the call or the input is wrong, 3 of "
            "some it is not known whether they are mistakes.",
            lang,
        ),
    )
    _network_arguments(parser, lang)
    parser.add_argument("--n", type=int, metavar="N", help=say("the same as --size n=N", lang))
    _engine_argument(parser, lang)
    _data_arguments(parser, lang)
    parser.add_argument("--json", action="store_true", help=say("print the report as JSON", lang))
    parser.set_defaults(run=_power)


def _looks_arguments(parser: argparse.ArgumentParser, lang: str) -> None:
    """How equations are written."""
    parser.add_argument("--convention", choices=("row", "column"), default="row")
    parser.add_argument(
        "--style",
        choices=("matrix", "index"),
        default="matrix",
        help=say("index: elements and sums in the place of matrices", lang),
    )
    parser.add_argument(
        "--gradient",
        choices=("partial", "delta", "bar"),
        default="partial",
        help=say("how gradients are written: ∂l/∂z, δz or z̄", lang),
    )
    parser.add_argument(
        "--layout",
        choices=("gradient", "jacobian"),
        default="gradient",
        help=say(
            "gradient: ∂l/∂W has the shape of W (denominator layout); jacobian: that of Wᵀ "
            "(numerator layout)",
            lang,
        ),
    )
    parser.add_argument(
        "--one",
        default="",
        metavar="n",
        help=say("a size symbol that is 1: the page for one sample", lang),
    )
    parser.add_argument(
        "--layers",
        choices=("subscript", "superscript"),
        default="subscript",
        help=say("where the number of a layer stands: W₂ or W⁽²⁾", lang),
    )


def _derive_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "derive", help=say("print the forward and the gradient equations", lang)
    )
    _network_arguments(parser, lang)
    _looks_arguments(parser, lang)
    parser.add_argument(
        "--detail",
        choices=("brief", "steps", "full"),
        help=say(
            "brief: the equations (default); steps: how each gradient is found, with one tensor "
            "moving at a time (default of notebooks); full: with everything that moves",
            lang,
        ),
    )
    parser.add_argument(
        "--order",
        type=int,
        choices=(1, 2),
        default=1,
        help=say(
            "2: also how values and gradients move: Jacobians and Hessians times directions", lang
        ),
    )
    parser.add_argument(
        "--along",
        metavar="W1,W2",
        help=say("with --order 2: the inputs that move (all without)", lang),
    )
    parser.add_argument(
        "--format",
        choices=("text", "latex", "markdown", "html", "json", "ipynb"),
        default="text",
        help=say("ipynb: a notebook whose cells verify each gradient", lang),
    )
    parser.add_argument(
        "--standalone", action="store_true", help=say("with --format latex: a whole document", lang)
    )
    parser.add_argument(
        "--engine",
        help=say("on which a notebook's cells verify (with --format ipynb)", lang),
    )
    parser.set_defaults(run=_derive)


def _explain_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "explain",
        help=say("say which mistake a wrong formula has, and why last digits differ", lang),
    )
    _network_arguments(parser, lang)
    _engine_argument(parser, lang)
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--seed", type=int, default=0, help=say("of the data that is drawn", lang))
    parser.add_argument(
        "--solution",
        action="store_true",
        help=say("show the right formula beside a wrong one", lang),
    )
    parser.set_defaults(run=_explain)


def _report_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "report",
        help=say("write a page that shows everything: one HTML file that works offline", lang),
        description=say(
            "Verify a network on every engine that is installed, or on those named, and "
            "write one page with the equations, the verdicts, the numbers and the source. Exit "
            "codes are those of verify.",
            lang,
        ),
    )
    _network_arguments(parser, lang)
    parser.add_argument("-o", "--output", required=True, metavar="PAGE.html")
    parser.add_argument(
        "--engine",
        action="append",
        metavar="ENGINE",
        help=say(
            "numpy, tensorflow, torch or jax; may be repeated (all that are installed without)",
            lang,
        ),
    )
    _data_arguments(parser, lang)
    _looks_arguments(parser, lang)
    parser.set_defaults(run=_report)


def _export_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "export",
        help=say(
            "write the derived backward as a source file for NumPy, PyTorch, JAX or TensorFlow",
            lang,
        ),
        description=say(
            "Write a network's forward and derived backward as a source file, with the "
            "formula above each line; run as a program, the file checks its own gradients. The "
            "framework itself is not needed to write it.",
            lang,
        ),
    )
    _network_arguments(parser, lang)
    parser.add_argument("--to", required=True, choices=("numpy", "torch", "jax", "tensorflow"))
    parser.add_argument(
        "--vjp",
        action="store_true",
        help=say(
            "what stands before the loss, as a layer whose backward is given its gradient", lang
        ),
    )
    parser.add_argument(
        "--order",
        type=int,
        choices=(1, 2),
        default=1,
        help=say("2: the loss and its Hessian times a direction", lang),
    )
    parser.add_argument(
        "--along",
        metavar="W1,W2",
        help=say("with --order 2: the inputs that move (all without)", lang),
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE.py", help=say("a file, not the terminal", lang)
    )
    parser.set_defaults(run=_export)


def _gallery_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "gallery",
        help=say("list the networks that come with gradproof, or show one", lang),
        description=say(
            "List the networks that come with gradproof, with their tensors and the "
            "frameworks that have layers for them; or show one: what it is and where it comes "
            "from, its equations, its published formulas, and which data hide a mistake in "
            "them. With --errata, list the published mistakes that gradproof refutes.",
            lang,
        ),
    )
    parser.add_argument(
        "network", nargs="?", help=say("a network of the gallery, or a mistake", lang)
    )
    parser.add_argument(
        "--errata", action="store_true", help=say("list the published mistakes", lang)
    )
    parser.set_defaults(run=_gallery)


def _new_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "new",
        help=say("write a commented file to begin a network of your own with", lang),
        description=say(
            "Write a small network with comments, which verifies as it is, to a file that "
            "does not exist yet.",
            lang,
        ),
    )
    parser.add_argument("file", metavar="my_net.py")
    parser.set_defaults(run=_new)


def _exercise_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "exercise",
        help=say("write a network's file with blanks in the place of its gradients", lang),
        description=say(
            "Write a file with a network's forward, and blanks where its gradients were. "
            "gradproof verify FILE --hints marks it.",
            lang,
        ),
    )
    parser.add_argument(
        "network", help=say("a network of the gallery, or a file my_network.py", lang)
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE.py",
        help=say("the file, which must not exist yet (NETWORK_exercise.py without)", lang),
    )
    parser.add_argument(
        "--blank",
        metavar="W2,z1",
        help=say("which gradients are blank (all that can be, without); the others stay", lang),
    )
    parser.set_defaults(run=_exercise)


def _grade_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "grade",
        help=say("mark a folder of answers side by side", lang),
        description=say(
            "Mark every file.py of a folder, each in a process of its own with limits of "
            "time and memory. This is no shelter from a file that means harm. Exit codes: 0 all "
            "files were marked, 2 the call is wrong or a file could not be marked.",
            lang,
        ),
    )
    parser.add_argument("folder", help=say("with the files that were handed in", lang))
    parser.add_argument(
        "--exercise",
        metavar="FILE.py",
        help=say("what was handed out: answers must have its forward", lang),
    )
    parser.add_argument(
        "--csv", metavar="GRADES.csv", help=say("write a row for each file here", lang)
    )
    parser.add_argument(
        "-o", "--output", metavar="PAGE.html", help=say("write a page with all marks", lang)
    )
    parser.add_argument(
        "--carried",
        type=Fraction,
        default=Fraction(1, 2),
        metavar="POINTS",
        help=say("for a formula that is right given an earlier mistake (1/2)", lang),
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help=say("for each file (60)", lang),
    )
    parser.add_argument(
        "--memory",
        type=float,
        default=4.0,
        metavar="GB",
        help=say("for each file (4; on Unix)", lang),
    )
    parser.add_argument("--seed", type=int, help=say("of the data that is drawn", lang))
    parser.add_argument(
        "--solution", action="store_true", help=say("show the right formulas on the page", lang)
    )
    parser.set_defaults(run=_grade)


def _certificate_parser(commands: Any, lang: str) -> None:
    parser = commands.add_parser(
        "certificate",
        help=say(
            "check the certificate of a refuted formula: 0 confirmed, 1 not, 2 unreadable", lang
        ),
    )
    parser.add_argument(
        "file", metavar="FILE.json", help=say("saved by verify --certificates", lang)
    )
    parser.set_defaults(run=_certificate)


def _source(options: argparse.Namespace) -> Source:
    from gradproof.gallery import catalogue

    return catalogue.find(options.network)


def _sizes(options: argparse.Namespace) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for given in options.size:
        name, _, number = given.partition("=")
        if not (name.isidentifier() and number.isdecimal()):
            raise DataError(told("--size {given} is not of the form n=5.", given=given))
        if sizes.setdefault(name, int(number)) != int(number):
            raise DataError(
                told(
                    "--size gives {name} twice: {sizes} and {number}.",
                    name=name,
                    sizes=sizes[name],
                    number=number,
                )
            )
    return sizes


def _inputs(options: argparse.Namespace) -> dict[str, Any]:
    if options.inputs is None:
        return {}
    from gradproof.trace.arrays import read_arrays

    return read_arrays(Path(options.inputs))


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def _verify(options: argparse.Namespace) -> int:
    if options.all:
        return _verify_all(options)
    if options.network is None:
        raise DataError(told("verify needs a network or a file, or --all."))
    source = _source(options)
    if options.hints:
        return _hints(source, options)
    if options.solution:
        raise DataError(
            told("--solution goes with --hints."), advice=told("Or: gradproof explain --solution")
        )
    if options.replay:
        return _replay(source, options)
    if options.json and options.show:
        raise DataError(
            told("--show prints tensors below the report; --json cannot stand beside it."),
            advice=told("The JSON has every tensor."),
        )
    from gradproof.report.console import show
    from gradproof.workbench import choose_engine, verify_source

    path = None if options.report is None else _page_path(options.report)
    report = verify_source(
        source,
        _inputs(options),
        options.engine,
        options.dtype,
        options.seed,
        _sizes(options),
        certificates=options.certificates is not None,
        witness=options.witness,
        pictures=path is not None,
    )
    saved = _save_certificates(report, options.certificates)
    if path is not None:
        _write_page(path, options, source, [report], [choose_engine(options.engine)])
    if options.json:
        print(report.to_json())
    else:
        show(report, _console(), values=options.show == "values", lang=options.lang)
        for path in saved:
            print(
                say(
                    "Saved; check it with  {command}",
                    options.lang,
                    command=f"gradproof certificate {path}",
                )
            )
    return report.exit_code


def _hints(source: Source, options: argparse.Namespace) -> int:
    from gradproof.exercise.marking import mark
    from gradproof.exercise.showing import lines

    for name in ("show", "certificates", "witness", "replay", "report", "dtype"):
        if getattr(options, name) != UNUSED[name]:
            raise DataError(
                told("--hints marks formulas; --{name} cannot stand beside it.", name=name)
            )
    marked = mark(
        source,
        _inputs(options),
        engine="numpy" if options.engine == "auto" else options.engine,
        seed=options.seed,
        sizes=_sizes(options),
        solution=options.solution,
    )
    if options.json:
        print(marked.to_json())
    else:
        console = _console()
        for line in lines(marked, console.width, options.lang):
            console.print(line)
    return marked.exit_code


def _exercise(options: argparse.Namespace) -> int:
    from gradproof.exercise.writing import exercise

    source = _source(options)
    path = Path(options.output or f"{source.name}_exercise.py")
    if path.suffix != ".py":
        raise DataError(
            told("{path} is not the name of a Python file.", path=path),
            advice=told("Try {path}.py", path=path),
        )
    wanted = [name.strip() for name in options.blank.split(",")] if options.blank else []
    made = exercise(source, wanted, file=path.name)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(made.text)
    except FileExistsError as problem:
        raise DataError(
            told("{path} exists already and is left as it is.", path=path),
            advice=told("Choose another name with -o."),
        ) from problem
    except OSError as problem:
        raise DataError(
            told("{path} cannot be written: {strerror}.", path=path, strerror=problem.strerror)
        ) from problem
    lang = options.lang
    blanks = told_row([f"∂l/∂{of}" for of in made.asked])
    print(say("Written: {path}, with blanks for {gradients}.", lang, path=path, gradients=blanks))
    if made.given and not wanted:
        left = told_row(made.given)
        print(say("Made together with others in a loop, and left: {names}.", lang, names=left))
    print(say("Mark it with  {command}", lang, command=f"gradproof verify {path} --hints"))
    return 0


def _grade(options: argparse.Namespace) -> int:
    from gradproof.exercise.class_page import page
    from gradproof.exercise.grading import Limits, grade, to_csv
    from gradproof.exercise.showing import table

    if options.timeout <= 0 or options.memory <= 0:
        raise DataError(told("The limits --timeout and --memory must be more than 0."))
    if not 0 <= options.carried <= 1:
        raise DataError(
            told("--carried is between 0 and 1, not {carried}.", carried=options.carried)
        )
    if options.solution and options.output is None:
        raise DataError(told("--solution shows the right formulas on a page: add -o PAGE.html."))
    path = None if options.output is None else _page_path(options.output)
    grades = grade(
        options.folder,
        options.exercise,
        limits=Limits(options.timeout, options.memory),
        carried=options.carried,
        seed=options.seed,
        solution=options.solution,
        lang=options.lang,
    )
    console = _console()
    for line in table(grades, console.width, options.lang):
        console.print(line)
    if options.csv is not None:
        _save(Path(options.csv), to_csv(grades, options.lang))
        print(say("Written: {path}", options.lang, path=options.csv))
    if path is not None:
        _save(path, page(grades, options.lang))
        print(say("Written: {path}", options.lang, path=path))
    return 2 if any(one.problem for one in grades.files) else 0


def _check(options: argparse.Namespace) -> int:
    from gradproof.blackbox.dump import check_arrays
    from gradproof.gallery import catalogue
    from gradproof.trace.arrays import read_arrays

    report = check_arrays(
        catalogue.find(options.paper),
        read_arrays(Path(options.arrays)),
        options.dtype,
        _sizes(options),
    )
    return _lines_or_json(report, options)


def _audit(options: argparse.Namespace) -> int:
    from gradproof.audit.command import audit_command

    return audit_command(options.command, options.of, options.lang)


def _lines_or_json(report: CheckReport | PowerReport, options: argparse.Namespace) -> int:
    if options.json:
        print(report.to_json())
    else:
        console = _console()
        for line in report.lines(console.width, options.lang):
            console.print(line, overflow="fold")
    return report.exit_code


def _power(options: argparse.Namespace) -> int:
    from gradproof.unseen.verb import power_source

    if options.n is not None:
        options.size.append(f"n={options.n}")
    report = power_source(
        _source(options),
        _inputs(options),
        options.engine,
        options.dtype,
        options.seed,
        _sizes(options),
    )
    return _lines_or_json(report, options)


def _verify_all(options: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from gradproof.gallery.summary import summary
    from gradproof.gallery.survey import verify_all

    for name in ALONE:
        if getattr(options, name):
            what = told("a network") if name == "network" else f"--{name}"
            raise DataError(
                told("--all verifies the whole gallery; {what} cannot stand beside it.", what=what)
            )
    engines = None if options.engine == "auto" else (options.engine,)
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=terminal, transient=True, disable=not terminal.is_terminal
    ) as progress:
        task = progress.add_task("", total=None)

        def watch(network: str, engine: str, done: int, total: int) -> None:
            progress.update(
                task,
                description=say(
                    "{network} on {engine}", options.lang, network=network, engine=engine
                ),
                completed=done,
                total=total,
            )

        survey = verify_all(engines, options.dtype, options.seed, watch=watch)
    if options.json:
        print(survey.to_json())
    else:
        console = _console()
        for line in summary(survey, console.width, options.lang):
            console.print(line)
    return survey.exit_code


def _save_certificates(report: Report, folder: str | None) -> list[Path]:
    """Writes one file for each refuted formula: that of the first data that refute it."""
    if folder is None:
        return []
    texts: dict[Path, str] = {}
    for batch in report.batches:
        for row in batch.gradients:
            name = re.sub(r"[^\w.]+", "-", f"{report.network}-{row.name}").strip("-")
            if row.formula_verdict.certificate:
                texts.setdefault(Path(folder) / f"{name}.json", row.formula_verdict.certificate)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise DataError(
            told("The certificates cannot be saved: {problem}", problem=problem)
        ) from problem
    return list(texts)


def _certificate(options: argparse.Namespace) -> int:
    from gradproof.certificate.check import NotConfirmed, Unreadable, confirm, read, sentences

    # The checker itself imports nothing of gradproof, and so no language.
    lang = options.lang
    try:
        document = read(Path(options.file).read_text(encoding="utf-8"))
        confirm(document)
    except (OSError, UnicodeDecodeError, Unreadable) as problem:
        said = say("unreadable: {file}: {problem}", lang, file=options.file, problem=problem)
        print(said, file=sys.stderr)
        return 2
    except NotConfirmed as problem:
        print(say("✗ not confirmed: {problem}.", lang, problem=problem))
        return 1
    for line in sentences(document):
        label, _, what = line.partition(" ")
        title = say(CERTIFIED[label], lang)
        print(title + " " * (9 - cells(title)) + what.lstrip())
    print(
        say(
            "✓ confirmed: the two intervals are disjoint, so the claimed formula is not the "
            "gradient.",
            lang,
        )
    )
    return 0


def _explain(options: argparse.Namespace) -> int:
    from gradproof.explain import explain_source

    source = _source(options)
    page, code = explain_source(
        source,
        _inputs(options),
        options.engine,
        options.dtype,
        options.seed,
        _sizes(options),
        solution=options.solution,
        lang=options.lang,
    )
    print(page)
    if source.name == "fnn":
        from gradproof.gallery import fnn_replay

        print(
            "\n".join(["", say("The published pair", options.lang), *fnn_replay.why(options.lang)])
        )
    return code


def _replay(source: Source, options: argparse.Namespace) -> int:
    for name, usual in UNUSED.items():
        if name != "replay" and getattr(options, name) != usual:
            raise DataError(
                told(
                    "--replay reproduces published numbers; --{name} cannot stand beside it.",
                    name=name,
                )
            )
    if source.name != "fnn":
        raise NetworkError(told("--replay reproduces published numbers; only fnn has any."))
    from gradproof.gallery import fnn_replay

    print(fnn_replay.story(options.lang))
    return 0


def _derive(options: argparse.Namespace) -> int:
    from gradproof.gallery.entry import read_docstring
    from gradproof.workbench import derive_source, notebook_source

    notebook = options.format == "ipynb"
    detail = options.detail or ("steps" if notebook else "brief")
    how = {"detail": detail, "style": options.style, "lang": options.lang}
    looks = {"gradient": options.gradient, "layout": options.layout, "layers": options.layers}
    looks["one"] = options.one
    if options.along and options.order == 1:
        raise DataError(told("--along goes with --order 2."))
    if options.standalone and options.format != "latex":
        raise DataError(told("--standalone is a LaTeX document: it goes with --format latex."))
    if options.engine is not None and not notebook:
        raise DataError(told("--engine goes with --format ipynb: other pages run nothing."))
    source, inputs, sizes = _source(options), _inputs(options), _sizes(options)
    if notebook:
        if options.order != 1:
            raise DataError(told("--order does not go with --format ipynb."))
        if options.one:
            raise DataError(told("--one does not go with --format ipynb: its cells run a batch."))
        file = inspect.getsourcefile(source.forward)
        what = "" if file is None else told_as_is(read_docstring(Path(file))[0])
        what = in_language(what, options.lang)
        engine, vectors = options.engine or "auto", options.convention
        print(
            notebook_source(source, inputs, sizes, engine, vectors, how=looks, what=what, **how),
            end="",
        )
        return 0
    page = derive_source(source, inputs, sizes, **looks)
    if options.order == 2:
        page = page.second(*filter(None, (options.along or "").split(",")))
    if options.standalone:
        print(page.to_latex(options.convention, standalone=True, **how), end="")
        return 0
    write = {
        "text": page.to_text,
        "latex": page.to_latex,
        "markdown": page.to_markdown,
        "html": partial(page.to_html, standalone=True),
        "json": page.to_json,
    }[options.format]
    print(write(options.convention, **how))
    return 0


def _export(options: argparse.Namespace) -> int:
    from gradproof.exporting import export_source

    words = ["gradproof", "export", options.network, "--to", options.to]
    words += ["--vjp"] if options.vjp else []
    words += ["--order", "2"] if options.order == 2 else []
    words += ["--along", options.along] if options.along else []
    words += [word for given in options.size for word in ("--size", given)]
    words += ["--inputs", options.inputs] if options.inputs else []
    text = export_source(
        _source(options),
        options.to,
        _inputs(options),
        _sizes(options),
        shlex.join(words),
        vjp=options.vjp,
        order=options.order,
        along=[*filter(None, (options.along or "").split(","))],
    )
    if options.output is None:
        print(text, end="")
        return 0
    path = Path(options.output)
    if path.is_dir() or not path.parent.is_dir():
        raise DataError(
            told("There is no place for a file {path}.", path=path),
            advice=told("Name one in a folder."),
        )
    _save(path, text)
    checked = say(
        "Written; its gradients are checked by  {command}", options.lang, command=f"python {path}"
    )
    print(checked)
    return 0


def _report(options: argparse.Namespace) -> int:
    from gradproof.engines.engine import ENGINES, installed
    from gradproof.workbench import verify_source

    path = _page_path(options.output)
    source = _source(options)
    here = installed()
    engines = tuple(dict.fromkeys(options.engine or [name for name in ENGINES if here[name]]))
    inputs, sizes = _inputs(options), _sizes(options)
    reports = [
        verify_source(
            source,
            inputs,
            engine,
            options.dtype,
            options.seed,
            sizes,
            pictures=True,
            one=options.one,
        )
        for engine in engines
    ]
    _write_page(path, options, source, reports, engines, _looks(options))
    return max((report.exit_code for report in reports), key=[0, 3, 1].index)


def _page_path(output: str) -> Path:
    path = Path(output)
    if path.is_dir() or not path.parent.is_dir():
        what = told("There is no folder {folder}.", folder=path.parent)
        if path.is_dir():
            what = told("{path} is a folder.", path=path)
        raise DataError(what, advice=told("A page is a file page.html in a folder that exists."))
    return path


def _write_page(
    path: Path,
    options: argparse.Namespace,
    source: Source,
    reports: Sequence[Report],
    engines: Sequence[str],
    looks: Looks | None = None,
) -> None:
    from gradproof.exporting import with_numpy
    from gradproof.gallery.entry import read_docstring
    from gradproof.report.looks import Looks
    from gradproof.report.page import page
    from gradproof.workbench import document_source

    file = inspect.getsourcefile(source.forward)
    what = "" if file is None else told_as_is(read_docstring(Path(file))[0])
    inputs, sizes = _inputs(options), _sizes(options)
    looks = looks or Looks()
    command = _command(path, options, engines, looks)
    document = document_source(
        source, inputs, reports, sizes, what=what, command=command, looks=looks
    )
    document = with_numpy(document, source, inputs, sizes, looks.one)
    _save(path, page(document, options.lang))
    print(say("Written: {path}", options.lang, path=path))


def _looks(options: argparse.Namespace) -> Looks:
    from gradproof.report.looks import Looks

    return Looks(
        options.convention,
        options.style,
        options.gradient,
        options.layout,
        options.layers,
        options.one,
    )


def _command(path: Path, options: argparse.Namespace, engines: Sequence[str], looks: Looks) -> str:
    """The words that make the same page again."""
    from gradproof.report.looks import Looks

    words = ["gradproof", "report", options.network, "-o", path.name]
    words += [] if options.lang == ENGLISH else ["--lang", options.lang]
    words += [word for engine in engines for word in ("--engine", engine)]
    words += ["--dtype", options.dtype, "--seed", str(options.seed)]
    words += [word for given in options.size for word in ("--size", given)]
    words += ["--inputs", options.inputs] if options.inputs else []
    plain = Looks()
    for field in fields(looks):
        chosen = getattr(looks, field.name)
        if chosen != getattr(plain, field.name):
            words += ["--convention" if field.name == "vectors" else f"--{field.name}", chosen]
    return shlex.join(words)


def _save(path: Path, text: str) -> None:
    """Writes a whole file or none: what stood there stays if writing fails."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise DataError(
            told("{path} cannot be written: {problem}", path=path, problem=problem)
        ) from problem


def _gallery(options: argparse.Namespace) -> int:
    from gradproof.gallery import catalogue
    from gradproof.gallery.errata_page import errata_listing, erratum_page
    from gradproof.gallery.erratum import all_errata, erratum
    from gradproof.gallery.page import listing, page

    console = _console()
    if options.network in catalogue.errata():
        lines = erratum_page(erratum(options.network), console.width, options.lang)
    elif options.errata:
        if options.network is not None:
            erratum(options.network)  # which says that there is none
        lines = errata_listing(all_errata(), console.width, options.lang)
    elif options.network is None:
        lines = listing(catalogue.contents(), console.width, options.lang)
    else:
        one = catalogue.describe(options.network)
        lines = page(one, catalogue.find(options.network), console.width, options.lang)
    for line in lines:
        console.print(line, overflow="fold")
    return 0


def _new(options: argparse.Namespace) -> int:
    from gradproof.gallery.beginning import new

    path = new(options.file)
    command = f"gradproof verify {path}"
    print(say("Written; verify it with  {command}", options.lang, command=command))
    return 0


if __name__ == "__main__":
    sys.exit(main())
