"""The steps of a gradient, read back and proved line by line.

Each line is read back into an equation, so that what is judged is what stands on the page. The
differential is proved to be the one that forward mode gives, each line of ``dl = …`` to be
``⟨∂l/∂z, dz⟩`` with it, and the last one to be ``⟨C, dv⟩`` with the contribution C of the pullback:
two rules of differentiation that know nothing of one another meet there. What the ways add up to is
proved to be the derived gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gradproof.core.index import Affine, Index, Size, at, combine, is_index, the_index
from gradproof.core.monomials import Polynomial
from gradproof.core.normal import apart, highest
from gradproof.core.program import DIFFERENTIAL, Derivation, Equation, Route, shapes
from gradproof.core.term import (
    Add,
    Bracket,
    Product,
    Sum,
    Term,
    free,
    reads,
    substitute,
)
from gradproof.judge.equations import NORMAL_FORM, Sure, compared
from gradproof.write.loops import member
from gradproof.write.notation import Notation, Position, Sliced, Symbol, children
from gradproof.write.pairing import Passage, Steps, Written
from gradproof.write.read import Reader, read, read_term
from gradproof.write.rolled import LETTER


@dataclass(frozen=True, slots=True)
class Judged:
    """For each line of a gradient's steps how it was proved; `None` for one that was not.

    ``passages`` has the lines of each way, and ``closing`` those below. The forward equations are
    what the network says, and need no proof.
    """

    passages: tuple[tuple[Sure | None, ...], ...]
    closing: tuple[Sure | None, ...]

    def all(self) -> list[Sure | None]:
        """Every line's."""
        return [*(one for lines in self.passages for one in lines), *self.closing]


@dataclass(slots=True)
class Bench:
    """What the lines of one page are judged with.

    ``known`` remembers what was compared: the same lines return for every tensor that an equation
    reads.
    """

    derivation: Derivation
    routes: Mapping[str, tuple[Route, ...]]
    shapes: Mapping[str, tuple[Size, ...]]
    seed: bytes | None = None
    known: dict[tuple[Equation, Equation], Sure | None] = field(default_factory=dict)
    forms: dict[Equation, Polynomial | None] = field(default_factory=dict)
    by_reader: dict[str, tuple[Term, ...]] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)

    def is_own(self, names: frozenset[str]) -> bool:
        """Whether the program calls all of these so, and not the page alone."""
        if not self.own:
            self.own |= shapes(self.derivation.forward).keys()
            self.own |= shapes(self.derivation.backward).keys()
        return names <= self.own

    def parts(self, reader: str) -> tuple[Term, ...]:
        """The differentials of an equation, each with one tensor moving."""
        if not self.by_reader:
            for routes in self.routes.values():
                for route in routes:
                    before = self.by_reader.get(route.reader.target, ())
                    self.by_reader[route.reader.target] = (*before, route.part)
        return self.by_reader[reader]


GIVEN = Sure("given")


def judge(steps: Steps, bench: Bench) -> Judged:
    """Every line of a gradient's steps, judged."""
    passages = tuple(tuple(_passage(passage, bench)) for passage in steps.passages)
    links = [_link(passage, bench) for passage in steps.passages]
    found = None if None in links else _adds_up(steps, bench)
    found = found and _read_off(steps, bench) and found
    closing = tuple(found if line.kind == "gradient" else GIVEN for line in steps.closing)
    return Judged(passages, closing)


def _passage(passage: Passage, bench: Bench) -> list[Sure | None]:
    return [_line(line, passage, bench) for line in passage.lines]


def _line(line: Written, passage: Passage, bench: Bench) -> Sure | None:
    way = passage.way
    match line.kind:
        case "forward" | "sum" | "gradient":
            return GIVEN
        case "whole":
            return _whole(line, passage, bench)
        case "part":
            wanted = Equation(way.pushed.tensor, way.free, way.part)
            return _same(_meaning(line, passage, bench), wanted, bench)
        case "scalar":
            meant = _meaning(line, passage, bench)
            before = meant is not None and way.pushed.tensor in {
                one.tensor for one in reads(meant.term)
            }
            moved = way.pushed if before and not way.loss else way.part
            return _same(meant, _scalar(_inner(way.free, way.upstream, moved)), bench)


def _meaning(line: Written, passage: Passage, bench: Bench) -> Equation | None:
    """What a line says, read back; `None` where its rows and columns do not fit."""
    try:
        if line.kind == "scalar":
            reader = Reader(bench.shapes, passage.convention)
            meant = _scalar(read_term(line.equality.right, None, None, reader))
        else:
            meant = read(line.equality, bench.shapes, passage.convention)
    except AssertionError:  # `read` takes what fits together, and says so when something does not
        return None
    return meant if free(meant.term) <= set(meant.free) else None


def _whole(line: Written, passage: Passage, bench: Bench) -> Sure | None:
    """A differential where everything moves: the sum of those where one tensor moves, each of which
    is proved where that tensor's gradient is found."""
    way, route = passage.way, passage.way.route
    parts = bench.parts(route.reader.target)
    whole = Equation("", route.reader.free, route.whole)
    found = _same(whole, Equation("", route.reader.free, Add(parts)), bench)
    # Turns of a loop that stand there as one were compared with one another by `write/rolled.py`.
    rolled = member(route.reader.target) is None and _names_turns(line.equality)
    if found is None or rolled:
        return found
    return _same(_meaning(line, passage, bench), way.whole_equation, bench)


def _names_turns(notation: Notation) -> bool:
    """Whether a loop's turn stands in a name, as in ``h[t]``, or in a position."""
    if isinstance(notation, Symbol | Sliced) and f"[{LETTER}" in notation.name:
        return True
    places = notation.places if isinstance(notation, Sliced) else ()
    turning = [p for p in places if isinstance(p, Position) and (LETTER, 1) in p.terms]
    return bool(turning) or any(_names_turns(child) for child in children(notation))


def _link(passage: Passage, bench: Bench) -> Sure | None:
    """``⟨∂l/∂z, dz⟩ = ⟨C, dv⟩``: what forward mode and the pullback say of one way."""
    way = passage.way
    pushed = _inner(way.free, way.upstream, way.part)
    pulled = _inner(way.axes, way.contribution, way.moved)
    return _same(_scalar(pushed), _scalar(pulled), bench)


def _read_off(steps: Steps, bench: Bench) -> Sure | None:
    """Whether the last line, read back, is the derived gradient; lines that stand for the turns of
    a loop were compared with one another by `write/rolled.py`."""
    line = steps.section.line
    if len(steps.section.members) > 1 or not bench.is_own(_names_of(line.equality)):
        return GIVEN
    (wanted,) = (
        step.equation for step in bench.derivation.steps if step.of == steps.section.members[0]
    )
    try:
        meant = read(line.equality, bench.shapes, steps.convention)
    except AssertionError:
        return None
    return _same(meant, wanted, bench)


def _names_of(notation: Notation) -> frozenset[str]:
    own = {notation.name} if isinstance(notation, Symbol | Sliced) else set()
    return frozenset(own).union(*map(_names_of, children(notation)))


def _adds_up(steps: Steps, bench: Bench) -> Sure | None:
    """Whether the ways of each member add up to its gradient."""
    worst: Sure | None = GIVEN
    gradients = {step.of: step.equation for step in bench.derivation.steps}
    for name in steps.section.members:
        equation = gradients[name]
        whole = Add(tuple(_everywhere(route, equation.free) for route in bench.routes[name]))
        found = _same(equation, Equation(equation.target, equation.free, whole), bench)
        if found is None:
            return None
        worst = found if found.method != NORMAL_FORM else worst
    return Sure(NORMAL_FORM) if worst is GIVEN else worst


def _everywhere(route: Route, free_indices: tuple[Index, ...]) -> Term:
    """What a route adds to a gradient with these indices: outside of its slice nothing."""
    first = highest(route.contribution, (*route.axes, *free_indices)) + 1
    term, _ = apart(route.contribution, first)
    put: dict[Index, Affine] = {}
    inside: list[Term] = []
    for place, index in zip(route.moved.at, free_indices, strict=True):
        if is_index(place):
            put[the_index(place)] = at(index)
        else:
            inside.append(Bracket("==", combine(at(index), place, -1)))
    return Product((substitute(term, put), *inside))


def _inner(free: tuple[Index, ...], left: Term, right: Term) -> Term:
    return Sum(free, Product((left, right))) if free else Product((left, right))


def _scalar(term: Term) -> Equation:
    return Equation(DIFFERENTIAL + "l", (), term)


def _same(left: Equation | None, right: Equation, bench: Bench) -> Sure | None:
    if left is None:
        return None
    key = (left, right)
    if key not in bench.known:
        bench.known[key] = compared(left, right, bench.shapes, bench.seed, bench.forms)
    return bench.known[key]
