"""A network to an exercise: its file with blanks where its gradients were."""

from __future__ import annotations

import ast
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradproof.core.errors import DataError, GradproofError, NetworkError, NotYet
from gradproof.core.program import Claim, Program, shapes
from gradproof.core.told import told
from gradproof.exercise.cutting import WIDTH, Blank, cut, one_by_one
from gradproof.gallery.entry import read_docstring
from gradproof.trace.paper import claimed
from gradproof.trace.parts import file_of, functions, names_in, package_of, surroundings, text_of
from gradproof.trace.source import Source, read_file
from gradproof.workbench import Traced, read
from gradproof.write.convention import shape_text

ASKED = "ASKED"
"""The name in an exercise's file that lists what is asked for."""


@dataclass(frozen=True, slots=True)
class Exercise:
    """The text of an exercise's file, what it asks for, and what could not be asked for."""

    text: str
    asked: tuple[str, ...]
    given: tuple[str, ...]


def exercise(source: Source, wanted: Sequence[str] = (), *, file: str = "") -> Exercise:
    """An exercise made from a network: forward as it is, and blanks for its gradients.

    The formulas that are no blanks stay, and serve those who fill in the others.

    Args:
        source: the network; without formulas of its own, it gets a blank for every gradient.
        wanted: the tensors whose gradients are to be blank, such as ``W2``; all if there are none.
        file: the name that the file will have, for the line that says how to check it.

    Raises:
        DataError: there is no such gradient.
        NotYet: a formula cannot be cut out, because it is woven together with others.
        NetworkError: the network has no file, or nothing of it can be blank.
    """
    nowhere = told("{source} has no file to make an exercise from.", source=source.name)
    path = file_of(source, nowhere)
    text = path.read_text(encoding="utf-8")
    traced, _ = read(source, {}, {})
    found = _blanks(traced, functions(ast.parse(text)).get("backward"))
    text = one_by_one(text, [blank.name for blank in found])
    tree = ast.parse(text)
    chosen = _chosen(found, wanted, traced)
    parts = _Parts(source, path, text, tree, traced, file or f"{source.name}_exercise.py")
    if wanted:
        made = _made(parts, chosen)
        _check(made, traced)
        return Exercise(made, _names(chosen), _given(traced, chosen))
    return _all_that_can_be(parts, chosen)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Everything that a file is made from."""

    source: Source
    path: Path
    text: str
    tree: ast.Module
    traced: Traced
    file: str


def _all_that_can_be(parts: _Parts, chosen: list[Blank]) -> Exercise:
    """The exercise with each blank that the file allows."""
    possible = list(chosen)
    while possible:
        try:
            made = _made(parts, possible)
            _check(made, parts.traced)
        except (NotYet, _Unfit) as problem:
            woven = [b for b in possible if b.name in str(problem)] or possible[-1:]
            possible = [b for b in possible if b not in woven]
            continue
        return Exercise(made, _names(possible), _given(parts.traced, possible))
    raise NetworkError(
        told(
            "No formula of {name} can be cut out: they are made together, in a loop.",
            name=parts.source.name,
        ),
        advice=told("Write a backward with one line for each gradient."),
    )


def _names(blanks: Sequence[Blank]) -> tuple[str, ...]:
    return tuple(blank.of for blank in blanks)


def _given(traced: Traced, blanks: Sequence[Blank]) -> tuple[str, ...]:
    """The tensors whose formulas stayed."""
    asked = set(_names(blanks))
    families = dict.fromkeys(claim.of.partition("[")[0] for claim in traced.paper.claims)
    return tuple(name for name in families if name not in asked)


# --- which gradients can be blank -------------------------------------------------------------


def _blanks(traced: Traced, backward: ast.FunctionDef | None) -> list[Blank]:
    """A blank for each claim, or for each gradient where there is no backward."""
    paper, derivation = traced.paper, traced.derivation
    if backward is None:
        ofs = dict.fromkeys(
            step.of.partition("[")[0] for step in derivation.steps if step.of not in derivation.zero
        )
        return [Blank(f"dl_d{of}", of, _comment(of, traced)) for of in ofs if of.isidentifier()]
    bound = names_in(backward)
    found: dict[str, Blank] = {}
    for claim in paper.claims:
        name = claim.name.partition("[")[0].rstrip("'")
        if not claim.turn and name in bound:
            found.setdefault(name, Blank(name, _of(claim, name), _comment(claim.of, traced)))
    return list(found.values())


def _of(claim: Claim, name: str) -> str:
    """What a claim's variable is the gradient of: a list, where the claim is an item of one."""
    family = claim.of.partition("[")[0]
    if claim.of == family:
        return family
    named = claimed(name, {claim.of: (), family: ()}, {})
    return named or family


def _comment(of: str, traced: Traced) -> str:
    symbol = traced.derivation.gradients.get(of, f"∂l/∂{of}")
    known = shapes(traced.paper.forward)
    if of not in known or "[" in of:
        return f"∂l/∂{of.partition('[')[0]}"
    return f"{symbol}: {shape_text(of, known[of], traced.layout)}"


def _chosen(found: list[Blank], wanted: Sequence[str], traced: Traced) -> list[Blank]:
    if not wanted:
        return found
    by_name = {blank.of: blank for blank in found}
    missing = [name for name in wanted if name not in by_name]
    if not missing:
        return [by_name[name] for name in dict.fromkeys(wanted)]
    known = {claim.of.partition("[")[0] for claim in traced.paper.claims}
    if missing[0] in known:
        raise NotYet(
            told(
                "The formula of ∂l/∂{missing} is made at every turn of a loop, and cannot be "
                "cut out.",
                missing=missing[0],
            ),
            advice=told("These can be blank: {by_name}.", by_name=", ".join(by_name)),
        )
    raise DataError(
        told("There is no formula for ∂l/∂{missing} to leave blank.", missing=missing[0]),
        advice=told("These can be blank: {by_name}.", by_name=", ".join(by_name)),
    )


# --- the file -----------------------------------------------------------------------------------


def _made(parts: _Parts, blanks: list[Blank]) -> str:
    defined = functions(parts.tree)
    package = package_of(parts.tree)
    backward = defined.get("backward")
    parameters = _parameters(parts.traced, backward, blanks)
    forward = defined["forward"]
    wanted = names_in(forward)
    if backward is None:
        body = [f"    {b.name} = {package}.blank({b.of})  # {b.comment}" for b in blanks]
        hand = [f"def backward({', '.join(parameters)}):", *body, "    return locals()"]
    else:
        formulas = {claim.name.partition("[")[0].rstrip("'") for claim in parts.traced.paper.claims}
        left = cut(
            parts.text, parts.path.name, backward, blanks, sorted(formulas), parameters, package
        )
        hand = list(left.lines)
        wanted |= left.reads
    around = surroundings(parts.tree, parts.text, wanted)
    asked = _asked(blanks)
    sections = [
        _docstring(parts, blanks),
        "\n".join(around.imports),
        *around.others,
        asked,
        text_of(forward, parts.text),
        "\n".join(hand),
    ]
    return _spaced(sections)


def _spaced(sections: list[str]) -> str:
    """Two empty lines before a function, one elsewhere."""
    text = ""
    for section in filter(None, sections):
        wide = section.startswith(("def ", "class ", "@"))
        text += ("\n\n\n" if wide else "\n\n") * bool(text) + section.strip("\n")
    return text + "\n"


def _asked(blanks: Sequence[Blank]) -> str:
    names = ", ".join(f'"{blank.of}"' for blank in blanks) + ("," if len(blanks) == 1 else "")
    line = f"{ASKED} = ({names})"
    if len(line) > WIDTH:
        inside = textwrap.wrap(
            names.rstrip(",") + ",", WIDTH, initial_indent="    ", subsequent_indent="    "
        )
        line = "\n".join([f"{ASKED} = (", *inside, ")"])
    return line


def _docstring(parts: _Parts, blanks: Sequence[Blank]) -> str:
    what = read_docstring(parts.path)[0].rstrip(".")
    head = f"Exercise: {what[:1].lower()}{what[1:]}." if what else f"Exercise: {parts.source.name}."
    count = "the gradient that is" if len(blanks) == 1 else f"the {len(blanks)} gradients that are"
    told = (
        f"Find {count} blank in backward: put your formula, in NumPy, in the place of "
        "gp.blank(...). A formula may use forward's values and the gradients above it; a gradient "
        "has the shape of its tensor. What you leave blank may still be used: it counts as right."
    )
    paragraphs = "\n".join(textwrap.wrap(told, WIDTH))
    head = "\n".join(textwrap.wrap(head, WIDTH - 3))
    # A backslash in a title would be an escape.
    head = head.replace("\\", "\\\\").replace('"""', "'''")
    return f'"""{head}\n\n{paragraphs}\n\n    gradproof verify {parts.file} --hints\n"""'


def _parameters(
    traced: Traced, backward: ast.FunctionDef | None, blanks: Sequence[Blank]
) -> list[str]:
    """What backward takes: all of forward's values that have a name, because which of them a
    formula needs is part of what is to be found."""
    inputs = [name.partition("[")[0] for name in traced.signature]
    values = [
        e.target
        for e in traced.paper.forward.equations
        if e.target.isidentifier() and e.target != traced.paper.loss
    ]
    old = [] if backward is None else [a.arg for a in backward.args.args + backward.args.kwonlyargs]
    order = dict.fromkeys([*inputs, *values])
    extra = [name for name in [*old, *(b.of for b in blanks)] if name not in order]
    return [*order, *dict.fromkeys(extra)]


class _Unfit(GradproofError):
    """A file that lost more than its formulas when they were cut out."""


def _check(made: str, traced: Traced) -> None:
    """That the exercise is a network with the same forward, and that what stayed still holds.

    Raises:
        _Unfit: it is not, or does not.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exercise.py"
        path.write_text(made, encoding="utf-8")
        try:
            again, _ = read(read_file(path), {}, {})
        except GradproofError as problem:
            raise _Unfit(told("The exercise does not run: {problem}", problem=problem)) from problem
    if not _alike(traced.paper.forward, again.paper.forward):
        raise _Unfit(told("forward is another one when its file is cut."))


def _alike(one: Program, other: Program) -> bool:
    """Whether two programs have the same inputs and equations, wherever these stand."""
    first, second = (
        (p.inputs, p.outputs, [(e.target, e.free, e.term) for e in p.equations])
        for p in (one, other)
    )
    return first == second


def same_forward(one: Source, other: Source) -> bool:
    """Whether two files have the same network.

    Raises:
        GradproofError: one of them is no network.
    """
    first, second = (
        read(replace(source, backward=None), {}, {})[0].paper.forward for source in (one, other)
    )
    return _alike(first, second)


def asked_of(source: Source) -> tuple[str, ...] | None:
    """What an exercise's file asks for, or `None` where it does not say.

    Raises:
        DataError: what it says is not a list of names.
    """
    asked = getattr(source.forward, "__globals__", {}).get(ASKED)
    if asked is None:
        return None
    if not isinstance(asked, tuple | list) or not all(isinstance(name, str) for name in asked):
        raise DataError(
            told(
                "{asked} is {listed!r}: it lists the names of tensors, such as W2.",
                asked=ASKED,
                listed=asked,
            )
        )
    return tuple(asked)
