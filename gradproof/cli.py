"""The command line: words to verbs, and errors to exit codes."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradproof import __version__
from gradproof.core.errors import DataError, GradproofError, NetworkError

if TYPE_CHECKING:
    from gradproof.report.report import Report
    from gradproof.trace.source import Source


PLAIN_WIDTH = 100
"""Columns of a report that goes to a file or a pipe."""

SAVED = 'Save the arrays by parameter:  np.savez("data.npz", x=x, W=W)'
SAVED_LIST = 'Save a list tensor by tensor:  np.savez("data.npz", **{"Ws[1]": W1, "Ws[2]": W2})'


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0 all hold, 1 refuted, 2 wrong call or input, 3 undecided."""
    _speak_utf8()
    options = _parser().parse_args(arguments)
    try:
        result: int = options.run(options)
        return result
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return 0
    except GradproofError as problem:
        print(f"gradproof: {problem}", file=sys.stderr)
        return 2


def _speak_utf8() -> None:
    """∂ and σ cannot be written in the C and GBK locales; UTF-8 is readable everywhere."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gradproof",
        description="Derive the gradients of a network, and verify every formula and number.",
    )
    parser.add_argument("--version", action="version", version=f"gradproof {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _verify_parser(commands)
    _derive_parser(commands)
    _certificate_parser(commands)
    _explain_parser(commands)
    gallery = commands.add_parser("gallery", help="list the networks that come with gradproof")
    gallery.set_defaults(run=_gallery)
    return parser


def _network_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", help="a network of the gallery, or a file my_network.py")
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        metavar="n=5",
        help="a number for a size symbol; may be repeated",
    )
    parser.add_argument(
        "--inputs",
        metavar="DATA.npz",
        help="your own arrays, by parameter name; a list is Ws[1], Ws[2], …",
    )


def _verify_parser(commands: Any) -> None:
    parser = commands.add_parser("verify", help="check every formula and every engine's number")
    _network_arguments(parser)
    parser.add_argument(
        "--engine", default="auto", help="numpy, tensorflow, torch, jax or auto (default)"
    )
    parser.add_argument(
        "--dtype", default="float32", choices=("float64", "float32", "bfloat16", "float16")
    )
    parser.add_argument("--seed", type=int, default=0, help="of the data that is drawn")
    parser.add_argument("--show", choices=("values",), help="print the tensors side by side")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--certificates", metavar="DIR", help="save the certificate of each refuted formula here"
    )
    parser.add_argument(
        "--witness",
        action="store_true",
        help="compare the derived gradients with a certified derivative that uses no rule",
    )
    parser.add_argument(
        "--replay",
        action="store_true",
        help="the published float32 numbers, operation by operation (fnn)",
    )
    parser.set_defaults(run=_verify)


def _derive_parser(commands: Any) -> None:
    parser = commands.add_parser("derive", help="print the forward and the gradient equations")
    _network_arguments(parser)
    parser.add_argument("--convention", choices=("row", "column"), default="row")
    parser.add_argument("--format", choices=("text", "latex"), default="text")
    parser.set_defaults(run=_derive)


def _explain_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "explain", help="say which mistake a wrong formula has, and why last digits differ"
    )
    _network_arguments(parser)
    parser.add_argument(
        "--engine", default="auto", help="numpy, tensorflow, torch, jax or auto (default)"
    )
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--seed", type=int, default=0, help="of the data that is drawn")
    parser.add_argument(
        "--solution", action="store_true", help="show the right formula beside a wrong one"
    )
    parser.set_defaults(run=_explain)


def _certificate_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "certificate",
        help="check the certificate of a refuted formula: 0 confirmed, 1 not, 2 unreadable",
    )
    parser.add_argument("file", metavar="FILE.json", help="saved by verify --certificates")
    parser.set_defaults(run=_certificate)


def _source(options: argparse.Namespace) -> Source:
    from gradproof.gallery import catalogue

    return catalogue.find(options.network)


def _sizes(options: argparse.Namespace) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for given in options.size:
        name, _, number = given.partition("=")
        if not (name.isidentifier() and number.isdecimal()):
            raise DataError(f"--size {given} is not of the form n=5.")
        if sizes.setdefault(name, int(number)) != int(number):
            raise DataError(f"--size gives {name} twice: {sizes[name]} and {number}.")
    return sizes


def _inputs(options: argparse.Namespace) -> dict[str, Any]:
    """The arrays of ``--inputs`` by parameter; ``Ws[1], Ws[2], …`` are the list ``Ws``."""
    if options.inputs is None:
        return {}
    found: dict[str, Any] = {}
    for name, array in _arrays(Path(options.inputs)).items():
        element = re.fullmatch(r"(\w+)\[(\d+)\]", name)
        if element is None:
            found[name] = array
        else:
            found.setdefault(element[1], {})[int(element[2])] = array
    return {
        name: _in_order(name, given) if isinstance(given, dict) else given
        for name, given in found.items()
    }


def _in_order(name: str, numbered: dict[int, Any]) -> list[Any]:
    for number in range(1, len(numbered) + 1):
        if number not in numbered:
            had = ", ".join(f"{name}[{k}]" for k in sorted(numbered))
            raise DataError(
                f"The inputs have {had} and no {name}[{number}].",
                advice="The tensors of a list are numbered from 1 without a gap.",
            )
    return [numbered[number] for number in sorted(numbered)]


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file by name; without pickles, which could run any code."""
    import numpy as np

    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    try:
        data = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise DataError(f"{path} is not a file of arrays.", advice=SAVED) from problem
    if isinstance(data, np.ndarray):
        raise DataError(f"{path} holds one array without a name.", advice=SAVED)
    with data:
        arrays = {}
        for name in data.files:
            try:
                arrays[name] = data[name]
            except ValueError as problem:
                raise DataError(
                    f"{name} in {path} holds Python objects and not numbers.", advice=SAVED_LIST
                ) from problem
        return arrays


def _verify(options: argparse.Namespace) -> int:
    from rich.console import Console

    source = _source(options)
    if options.replay:
        return _replay(source)
    from gradproof.report.console import show
    from gradproof.workbench import verify_source

    report = verify_source(
        source,
        _inputs(options),
        options.engine,
        options.dtype,
        options.seed,
        _sizes(options),
        certificates=options.certificates is not None,
        witness=options.witness,
    )
    saved = _save_certificates(report, options.certificates)
    if options.json:
        print(report.to_json())
    else:
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        show(report, Console(highlight=False, width=width), values=options.show == "values")
        for path in saved:
            print(f"Saved; check it with  gradproof certificate {path}")
    return report.exit_code


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
        raise DataError(f"The certificates cannot be saved: {problem}") from problem
    return list(texts)


def _certificate(options: argparse.Namespace) -> int:
    from gradproof.certificate.check import main as check

    return check([options.file])


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
    )
    print(page)
    if source.name == "fnn":
        from gradproof.gallery import fnn_replay

        print("\n".join(["", "The published pair", *fnn_replay.why()]))
    return code


def _replay(source: Source) -> int:
    if source.name != "fnn":
        raise NetworkError("--replay reproduces published numbers; only fnn has any.")
    from gradproof.gallery import fnn_replay

    print(fnn_replay.story())
    return 0


def _derive(options: argparse.Namespace) -> int:
    from gradproof.workbench import derive_source

    page = derive_source(_source(options), _inputs(options), _sizes(options))
    write = page.to_latex if options.format == "latex" else page.to_text
    print(write(options.convention))
    return 0


def _gallery(options: argparse.Namespace) -> int:
    from gradproof.gallery import catalogue

    for name, sentence in catalogue.contents():
        print(f"{name:20} {sentence}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
