"""A way to the loss to the lines that a person writes: by differentials, and by the trace.

``dl = ⟨∂l/∂z, dz⟩ = tr((∂l/∂z)ᵀ dz)``; dz is put in; factors move until dv stands alone at the end;
what is transposed before it is the gradient. The method is that of J. R. Magnus and H. Neudecker,
"Matrix Differential Calculus" (1988). Where gradients lie as Jacobians, ``dl = tr(∂l/∂z dz)``, and
what stands before dv is the gradient. Nothing here decides whether a line is right:
`judge/steps.py` reads each one back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gradproof.core.index import Index, Size
from gradproof.core.program import DIFFERENTIAL, Equation
from gradproof.core.term import Read, Term
from gradproof.words import sentence
from gradproof.write.convention import GRADIENT, Convention, lies_transposed
from gradproof.write.matrix import write
from gradproof.write.notation import (
    Applied,
    Chain,
    Diagonal,
    Equality,
    Hadamard,
    Inner,
    Letter,
    LetterSum,
    Negative,
    Notation,
    Ones,
    Plus,
    Position,
    Quotient,
    Sliced,
    Symbol,
    Times,
    Trace,
    Transposed,
    children,
)
from gradproof.write.rolled import LETTER, Page
from gradproof.write.ways import Section, Way

FORWARD = sentence("forward pass")
EVERYTHING = sentence("its differential: everything moves")
ONLY = sentence("its differential: only {of} moves")
ELEMENTWISE = sentence("elementwise: the slope times {moved}")
DIAGONAL = sentence("the same with a diagonal matrix")
CHAIN_RULE = sentence("chain rule")
AS_TRACE = sentence("inner product as a trace: {rule}")
PUT_IN = sentence("the differential put in")
MIRROR = sentence("transposed as a whole: {rule}")
CIRCLE = sentence("moved to the front: {rule}")
TRANSPOSES = sentence("product transposed: {rule}")
SIDES = sentence("elementwise factors change sides")
ONES = sentence("{rule} adds up")
OUT = sentence("{moved} taken out of the sum")
ORDER = sentence("the sums in another order")
COLLECTED = sentence("collected: what multiplies {moved}")
READ_OFF = sentence("read off: the factor paired with {moved}")
READ_BEFORE = sentence("read off: what stands before {moved}")
PATHS = sentence("sum over the paths")

Kind = Literal["forward", "whole", "part", "scalar", "sum", "gradient"]


@dataclass(frozen=True, slots=True)
class Written:
    """One line and the reason beside it: a template, and what stands in its slots.

    ``kind`` says what the line has to be equal to; one that `continues` shows its right side only,
    below the equality sign of the line above it.
    """

    kind: Kind
    equality: Equality
    reason: str
    slots: Mapping[str, Notation]
    continues: bool = False


A, B = Symbol("A"), Symbol("B")
RULES: dict[str, Notation] = {
    AS_TRACE: Equality(Inner(A, B), Trace(Chain((Transposed(A), B)))),
    MIRROR: Equality(Trace(A), Trace(Transposed(A))),
    CIRCLE: Equality(Trace(Chain((A, B))), Trace(Chain((B, A)))),
    TRANSPOSES: Equality(Transposed(Chain((A, B))), Chain((Transposed(B), Transposed(A)))),
    ONES: Ones(None),
}
"""The rule that a reason names."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The lines of one way, and the style in which they are written."""

    way: Way
    lines: tuple[Written, ...]
    convention: Convention


@dataclass(frozen=True, slots=True)
class Steps:
    """How one gradient is found: the passages of its ways, and what they add up to.

    ``convention`` is that of the gradient's own line.
    """

    section: Section
    passages: tuple[Passage, ...]
    closing: tuple[Written, ...]
    convention: Convention


def lay_out(section: Section, page: Page) -> Steps:
    """The steps of a gradient; in index notation where rows and columns do not suffice.

    Args:
        section: the gradient's equation and its ways.
        page: with differentials laid out as their tensors.
    """
    labels = [_label(section, number) for number in range(len(section.ways))]
    for label in (Symbol(section.dl), *labels):
        page.shapes.setdefault(label.name, ())
    passages = tuple(
        _passage(way, label, _gradient_of(way, section), page)
        for way, label in zip(section.ways, labels, strict=True)
    )
    slots = {"moved": Symbol(DIFFERENTIAL + section.of)}
    jacobian = lies_transposed(section.line.target, page.convention)
    reason = READ_BEFORE if jacobian else READ_OFF
    closing = [Written("gradient", section.line.equality, reason, slots)]
    if labels[0].name != section.dl:
        parts = tuple(_over_turns(w, n) for w, n in zip(section.ways, labels, strict=True))
        whole = Plus(parts) if len(parts) > 1 else parts[0]
        closing.insert(0, Written("sum", Equality(Symbol(section.dl), whole), PATHS, slots))
    return Steps(section, passages, tuple(closing), page.convention)


def _label(section: Section, number: int) -> Symbol:
    """What the part of dl is called that travels one way: ``dl2``, and ``dl[t]`` for each turn."""
    one = "" if len(section.ways) == 1 else str(number + 1)
    way = section.ways[number]
    turn = f"[{LETTER}]" if way.range and not section.line.range else ""
    return Symbol(section.dl + one + turn)


def _over_turns(way: Way, label: Symbol) -> Notation:
    if not label.name.endswith("]"):
        return label
    return LetterSum((Letter(way.turns, 1),), label)


def _gradient_of(way: Way, section: Section) -> str:
    """The gradient that a way adds to, by its name on the page."""
    sign, _, _ = section.line.target.partition(GRADIENT)
    return f"{sign}{GRADIENT}{way.of}"


def _passage(way: Way, label: Symbol, gradient: str, page: Page) -> Passage:
    convention = page.convention
    try:
        lines = _Layout(way, label, gradient, convention, page.shapes).lines()
    except _NotPaired:
        convention = replace(convention, style="index")
        lines = _Layout(way, label, gradient, convention, page.shapes).lines()
    return Passage(way, tuple(lines), convention)


class _NotPaired(Exception):
    """A tensor that has no one row and column for each element, so that no trace can be written."""


class _Layout:
    """The lines of one way in one convention."""

    def __init__(
        self,
        way: Way,
        label: Symbol,
        gradient: str,
        convention: Convention,
        shapes: Mapping[str, tuple[Size, ...]],
    ) -> None:
        self.way = way
        self.label = label
        self.convention = convention
        self.shapes = shapes
        self.reader = way.reader
        self.dz = self._written(DIFFERENTIAL + self.reader, way.free, way.part)
        self.jacobian = lies_transposed(GRADIENT + self.reader, convention)
        self.v_jacobian = lies_transposed(gradient, convention)
        self.dv = self._written(way.moved.tensor, way.axes, way.contribution).left
        self.added = self._written(gradient, way.axes, way.contribution)
        self.z_letters, self.z_scalar = _letters(self.dz.left)
        self.v_letters, self.v_scalar = _letters(self.dv)
        self.slots = {
            "of": Symbol(way.of),
            "reader": Symbol(self.reader),
            "moved": Symbol(way.moved.tensor),
        }

    def lines(self) -> list[Written]:
        """All lines, from the forward equation to the gradient."""
        found = [self._line("forward", self.way.forward, FORWARD)]
        found += self._differentials()
        scalars = self._scalars()
        if self.way.loss:
            found[-1] = replace(found[-1], kind="scalar")
        last = found[-1].equality.right if self.way.loss else None
        first = not self.way.loss
        for right, reason in scalars:
            if right != last:
                line = self._line("scalar", Equality(self.label, right), reason)
                found.append(replace(line, continues=not first))
                last, first = right, False
        return found

    def _written(self, target: str, free: tuple[Index, ...], term: Term) -> Equality:
        return write(Equation(target, free, term), self.convention, shapes=self.shapes)

    def _line(self, kind: Kind, equality: Equality, reason: str) -> Written:
        slots = {**self.slots, "rule": RULES[reason]} if reason in RULES else self.slots
        return Written(kind, equality, reason, slots)

    def _differentials(self) -> list[Written]:
        left = self.label if self.way.loss else self.dz.left
        part = Equality(left, self.dz.right)
        product = isinstance(self.dz.right, Hadamard | Quotient)
        plain = product and isinstance(self.way.forward.right, Applied)
        found: list[Written] = []
        if self.way.whole is not None and self.way.whole != self.dz:
            whole = replace(self.way.whole, left=left) if self.way.loss else self.way.whole
            found.append(self._line("whole", whole, EVERYTHING))
        found.append(self._line("part", part, ELEMENTWISE if plain else ONLY))
        diagonal = self._diagonal()
        if diagonal is not None:
            line = self._line("part", Equality(left, diagonal), DIAGONAL)
            found.append(replace(line, continues=True))
        return found

    def _diagonal(self) -> Notation | None:
        """``diag(σ′(z)) dz`` for columns, and ``dz diag(σ′(z))`` for rows, of a single vector."""
        match self.dz.right:
            case Hadamard((slope, Symbol(name) as moved)) if (
                name == self.way.moved.tensor
                and len(self.way.free) == len(self.shapes.get(name, ())) == 1
                and self.way.whole is not None
            ):
                column = (self.convention.vectors == "column") != (name in self.convention.turned)
                factors = (Diagonal(slope), moved) if column else (moved, Diagonal(slope))
                return Chain(factors)
            case _:
                return None

    def _scalars(self) -> list[tuple[Notation, str]]:
        """What dl is, line by line."""
        found: list[tuple[Notation, str]] = []
        put_in = self.dz.right
        if not self.way.loss:
            upstream = self._upstream()
            if not self.jacobian:
                found.append((self._beside(upstream, self.dz.left, inner=True), CHAIN_RULE))
            named = CHAIN_RULE if self.jacobian else AS_TRACE
            found.append((self._beside(upstream, self.dz.left), named))
            found.append((self._beside(upstream, put_in), PUT_IN))
            # Factors move under one trace only where both gradients lie alike.
            found += self._moves(upstream, put_in) if self.jacobian == self.v_jacobian else []
        last = self._paired(
            self.added.right,
            self.dv,
            self.v_letters,
            scalar=self.v_scalar,
            transposed=self.v_jacobian,
        )
        found.append((last, self._last_reason([one for one, _ in found], put_in)))
        return found

    def _upstream(self) -> Notation:
        assert isinstance(self.way.upstream, Read)
        return _called(self.dz.left, self.way.upstream.tensor)

    def _beside(self, left: Notation, right: Notation, *, inner: bool = False) -> Notation:
        return self._paired(
            left,
            right,
            self.z_letters,
            scalar=self.z_scalar,
            transposed=self.jacobian,
            inner=inner,
        )

    def _paired(
        self,
        left: Notation,
        right: Notation,
        letters: tuple[Letter, ...],
        *,
        scalar: bool,
        transposed: bool,
        inner: bool = False,
    ) -> Notation:
        """``⟨A, B⟩`` or ``tr(Aᵀ B)``, summed over the letters; ``A B`` for scalars; ``tr(A B)``
        where A lies transposed already, as a Jacobian does."""
        if scalar:
            return _summed(letters, _times((left, right)))
        if inner or _is_constant(left) or _is_constant(right):
            return _summed(letters, Inner(left, right))
        before = left if transposed else _transposed(left)
        return _summed(letters, Trace(_chain((before, right))))

    def _moves(self, upstream: Notation, put_in: Notation) -> list[tuple[Notation, str]]:
        """A product's factors moved around dv, under the trace."""
        in_front, put_in = _in_front(put_in)
        if self.z_scalar or not isinstance(put_in, Chain):
            return []
        spots = [
            spot
            for spot, factor in enumerate(put_in.factors)
            if _name(factor) == self.way.moved.tensor
        ]
        if len(spots) != 1:
            return []
        (spot,) = spots
        before, moved, after = (
            put_in.factors[:spot],
            put_in.factors[spot],
            put_in.factors[spot + 1 :],
        )
        if self.jacobian:
            return self._moves_of_jacobian(upstream, in_front, before, moved, after)
        found: list[tuple[Notation, str]] = []
        if isinstance(moved, Transposed):
            mirrored = (*_flipped(after), moved.body, *_flipped(before), upstream)
            found.append((self._trace(in_front, mirrored), MIRROR))
            front: tuple[Notation, ...] = (*_flipped(before), upstream, *_flipped(after))
            found.append((self._trace(in_front, (*front, moved.body)), CIRCLE))
            turned = Transposed(_chain((*after, _transposed(upstream), *before)))
            found.append((self._trace(in_front, (turned, moved.body)), TRANSPOSES))
            return found
        if after:
            found.append(
                (self._trace(in_front, (*after, _transposed(upstream), *before, moved)), CIRCLE)
            )
        gathered = _chain((*_flipped(before), upstream, *_flipped(after)))
        found.append((self._trace(in_front, (Transposed(gathered), moved)), TRANSPOSES))
        return found

    def _moves_of_jacobian(
        self,
        upstream: Notation,
        in_front: InFront,
        before: tuple[Notation, ...],
        moved: Notation,
        after: tuple[Notation, ...],
    ) -> list[tuple[Notation, str]]:
        """The same where dl = tr(∂l/∂z dz): what stands after dv moves to the front."""
        if isinstance(moved, Transposed):
            turned = _transposed(upstream)
            mirrored = (*_flipped(after), moved.body, *_flipped(before), turned)
            front = (*_flipped(before), turned, *_flipped(after), moved.body)
            return [
                (self._trace(in_front, mirrored), MIRROR),
                (self._trace(in_front, front), CIRCLE),
            ]
        if not after:
            return []
        return [(self._trace(in_front, (*after, upstream, *before, moved)), CIRCLE)]

    def _trace(self, in_front: InFront, factors: tuple[Notation, ...]) -> Notation:
        trace: Notation = Trace(_chain(factors))
        if in_front.scalars:
            trace = Times((*in_front.scalars, trace))
        return _summed(self.z_letters, Negative(trace) if in_front.negative else trace)

    def _last_reason(self, before: list[Notation], put_in: Notation) -> str:
        if self.convention.style == "index":
            return ORDER
        if (
            before
            and isinstance(before[-1], LetterSum)
            and len(self.v_letters) < len(self.z_letters)
        ):
            return OUT
        if before and any(isinstance(node, Ones) for node in _walk(before[-1])):
            return ONES
        if isinstance(put_in, Hadamard | Quotient):
            return SIDES
        return AS_TRACE if isinstance(put_in, Inner) else COLLECTED


@dataclass(frozen=True, slots=True)
class InFront:
    """What stands in front of a product: a sign, and scalars."""

    negative: bool
    scalars: tuple[Notation, ...]


def _in_front(notation: Notation) -> tuple[InFront, Notation]:
    """A product, with its sign and its scalars apart."""
    negative = isinstance(notation, Negative)
    body = notation.body if isinstance(notation, Negative) else notation
    if isinstance(body, Times):
        return InFront(negative, body.factors[:-1]), body.factors[-1]
    return InFront(negative, ()), body


def _letters(left: Notation) -> tuple[tuple[Letter, ...], bool]:
    """The letters of a left side, and whether nothing else is left of the tensor."""
    match left:
        case Symbol():
            return (), False
        case Sliced(_, places):
            found: list[Letter] = []
            for place in places:
                match place:
                    case Position(((Letter() as letter, 1),), 0):
                        found.append(letter)
                    case Position((), _) | None:
                        pass
                    case _:
                        raise _NotPaired
            return tuple(found), all(place is not None for place in places)
        case _:
            raise _NotPaired


def _called(left: Notation, name: str) -> Notation:
    match left:
        case Symbol():
            return Symbol(name)
        case Sliced(_, places):
            return Sliced(name, places)
        case _:
            raise _NotPaired


def _name(factor: Notation) -> str:
    match factor:
        case Symbol(name) | Sliced(name, _) | Transposed(Symbol(name) | Sliced(name, _)):
            return name
        case _:
            return ""


def _summed(letters: tuple[Letter, ...], body: Notation) -> Notation:
    return LetterSum(letters, body) if letters else body


def _is_constant(notation: Notation) -> bool:
    """Whether all elements are one number, so that the shape is that of what stands beside."""
    match notation:
        case Ones(None):
            return True
        case Negative(body):
            return _is_constant(body)
        case Times(factors):
            return _is_constant(factors[-1])
        case _:
            return False


def _times(factors: tuple[Notation, ...]) -> Notation:
    flat: list[Notation] = []
    for factor in factors:
        flat += factor.factors if isinstance(factor, Times) else (factor,)
    return Times(tuple(flat))


def _chain(factors: tuple[Notation, ...]) -> Notation:
    flat: list[Notation] = []
    for factor in factors:
        flat += factor.factors if isinstance(factor, Chain) else (factor,)
    return flat[0] if len(flat) == 1 else Chain(tuple(flat))


def _transposed(notation: Notation) -> Notation:
    return notation.body if isinstance(notation, Transposed) else Transposed(notation)


def _flipped(factors: tuple[Notation, ...]) -> tuple[Notation, ...]:
    """The factors of a transposed product."""
    return tuple(_transposed(factor) for factor in reversed(factors))


def _walk(notation: Notation) -> list[Notation]:
    return [notation, *(node for child in children(notation) for node in _walk(child))]
