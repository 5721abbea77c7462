"""Gradients to the lines of NumPy that compute each of them, to be copied one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gradproof.code.array import Member, Name, walk
from gradproof.code.dialect import dialect_of
from gradproof.code.factors import Line, with_common_factors
from gradproof.code.file import helpers, imports, shape_words, wrapped, written
from gradproof.code.fitting import fitted
from gradproof.code.lay import lay_equation
from gradproof.code.plan import (
    RESERVED,
    bench_of,
    formulas_of,
    lengths,
    size_variables,
    turn_variable,
    variables_of,
    with_dtypes,
)
from gradproof.code.tensors import Bench
from gradproof.code.text import Ink, code
from gradproof.code.turns import roll
from gradproof.core.errors import NotYet
from gradproof.core.index import Size
from gradproof.core.program import Derivation, Equation, Paper, shapes
from gradproof.core.told import Said, told, told_lines
from gradproof.derivation import derive
from gradproof.write.convention import Convention
from gradproof.write.loops import initial_values
from gradproof.write.rolled import page_of

WIDTH = 88

NUMPY = dialect_of("numpy")

NO_BREAK = "\u00a0"
"""A space at which no line is broken."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """The lines of one gradient; or, where there are none, why not.

    ``given`` are the tensors that the lines read and ``made`` the gradients that they compute, by
    their names in the network, each with its variable.
    """

    text: str
    given: Mapping[str, str]
    made: Mapping[str, str]
    why_not: str = ""


def snippets(
    paper: Paper, convention: Convention, groups: Iterable[Sequence[str]]
) -> list[Snippet]:
    """The NumPy lines of gradients, from the values and the gradients that their formulas read.

    A value has its own name, the gradient of ``z1`` is ``dl_dz1``, and the values of a loop are a
    dictionary by turn, ``h[3]``, as in exported files.

    Args:
        paper: the network.
        convention: of the formulas above the lines.
        groups: what the gradients are of; the turns of a loop together.
    """
    derivation = derive(paper.forward)
    constants = {name: np.asarray(array) for name, array in paper.constants.items()}
    writer = _Writer(derivation, convention, constants)
    return [writer.snippet(group) for group in groups]


class _Writer:
    """Writes the snippets of one network."""

    def __init__(
        self,
        derivation: Derivation,
        convention: Convention,
        constants: Mapping[str, np.ndarray],
    ) -> None:
        program = derivation.forward
        self.derivation = derivation
        self.known: Mapping[str, tuple[Size, ...]] = {
            **shapes(program),
            **shapes(derivation.backward),
        }
        self.variables = variables_of(self.known, initial_values(program.equations))
        self.names = {variable: name for name, variable in self.variables.items()}
        self.bench: Bench = bench_of(program, self.known, self.variables, constants)
        self.formulas = formulas_of(derivation, page_of(derivation, convention))
        self.equations = {e.target: e for e in derivation.backward.equations}
        self.order = {name: k for k, name in enumerate(self.equations)}
        families = {v.family if isinstance(v, Member) else v.name for v in self.names}  # type: ignore[union-attr]
        self.taken = families | RESERVED
        self.begun: dict[str, list[str]] = {}
        symbols = {size for shape in self.known.values() for size in shape if isinstance(size, str)}
        self.sizes = size_variables(symbols, self.taken)
        taken = self.taken | set(self.sizes.values())
        self.ink = Ink(NUMPY, self.sizes, turn_variable(taken))

    def snippet(self, group: Sequence[str]) -> Snippet:
        """The lines for the gradients with respect to these tensors, the turns of one loop."""
        targets = sorted(
            (self.derivation.gradients[of] for of in group), key=self.order.__getitem__
        )
        made = self.variables[targets[0]]
        try:
            lines = self._lines([self.equations[target] for target in targets])
        except NotYet as problem:
            return Snippet("", {}, {}, problem.why)
        opened, before = self._opened(lines)
        sizes, given = self._sizes(lines, (*self._read(lines), *before))
        if isinstance(made, Member):
            self.begun.setdefault(made.family, []).extend(targets)
        around = fitted(roll(lines), self.ink, WIDTH - 4, {*self.taken, *self.sizes.values()})
        body = [*sizes, *opened, *written(around, self.ink)]
        own = helpers(lines, NUMPY)
        used = "\n".join([*own, *body])
        head = [one for one in imports(lines, NUMPY) if one and f"{one.split()[-1]}." in used]
        head += ["", "", *own] if own else [""] if head else []
        text = _joined("\n".join(head), self._said(given), "\n".join(body))
        return Snippet(text, self._variables(given), self._variables(targets))

    def _variables(self, names: Sequence[str]) -> dict[str, str]:
        return {name: code(self.variables[name], self.ink) for name in names}

    def _lines(self, equations: Sequence[Equation]) -> list[Line]:
        laid = [
            Line(
                self.variables[e.target],  # type: ignore[arg-type]
                lay_equation(e, self.bench),
                self.formulas[e.target],
            )
            for e in equations
        ]
        return with_common_factors(
            with_dtypes(laid, self.bench, self.derivation.forward), {*self.taken}
        )

    def _read(self, lines: Sequence[Line]) -> tuple[str, ...]:
        """What the lines read and do not make themselves, in the order of the network."""
        made = {line.target for line in lines}
        used = {node for line in lines for node in walk(line.value)} - made
        return tuple(name for name in self.known if self.variables[name] in used)

    def _sizes(
        self, lines: Sequence[Line], read: Sequence[str]
    ) -> tuple[list[str], tuple[str, ...]]:
        """Lines for the sizes that are divided by; and what is read, with what has to be given for
        a size alone."""
        found, given = [], list(read)
        inputs = [tensor.name for tensor in self.derivation.forward.inputs]
        for symbol in lengths(lines):
            name = next(n for n in (*given, *inputs) if symbol in self.known[n])
            given += [] if name in given else [name]
            axis = self.known[name].index(symbol)
            said = code(self.variables[name], self.ink)
            found.append(f"{self.sizes[symbol]} = {said}.shape[{axis}]")
        return found, tuple(given)

    def _opened(self, lines: Sequence[Line]) -> tuple[list[str], list[str]]:
        """Lines that begin the dictionaries of loops; and what stands in those that an earlier
        snippet has begun."""
        made = dict.fromkeys(
            line.target.family for line in lines if isinstance(line.target, Member)
        )
        new = [f"{family} = {{}}" for family in made if family not in self.begun]
        read = self._read(lines)
        before = [name for family in made for name in self.begun.get(family, ())]
        return new, [name for name in before if name not in read]

    def _said(self, given: Sequence[str]) -> str:
        """What has to be there, in comments: variables with their shapes, a loop's in one."""
        if not given:
            return ""
        parts: dict[tuple[str, str], list[int]] = {}
        starts = []
        for name in given:
            variable, shape = self.variables[name], shape_words(self.known[name])
            if isinstance(variable, Member):
                assert isinstance(variable.number, int)
                parts.setdefault((variable.family, shape), []).append(variable.number)
                starts += [] if "[" in name or variable.number else [(variable.family, name)]
            else:
                assert isinstance(variable, Name)
                parts[variable.name, shape] = []
        said = [f"{name}{_turns(numbers)} {shape}" for (name, shape), numbers in parts.items()]
        bound = ", ".join(one.replace(" ", NO_BREAK) for one in said)
        first, *others = wrapped(bound, "", WIDTH - 10)
        names = "\n".join([first, *(f"#     {line}" for line in others)]).replace(NO_BREAK, " ")
        lines = [told("# Given: {names}", names=names)]
        numbered = list(dict.fromkeys(name for (name, _), numbers in parts.items() if numbers))
        if numbered:
            lines.append(told("# In dictionaries, by number: {names}", names=", ".join(numbered)))
        lines += [told("# {first} is {name}", first=f"{f}[0]", name=name) for f, name in starts]
        return told_lines(lines)


def _joined(head: str, given: str, body: str) -> str:
    """A snippet, whose comment on what is given can be said in another language."""
    template = ("{head}\n" if head else "") + ("{given}\n" if given else "") + "{body}\n"
    return Said(template, {"head": head, "given": given, "body": body})


def _turns(numbers: Sequence[int]) -> str:
    """Which turns of a loop: ``[0…5]``."""
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    if len(numbers) > 1 and len(numbers) == high - low + 1:
        return f"[{low}…{high}]"
    return f"[{', '.join(map(str, sorted(numbers)))}]"
