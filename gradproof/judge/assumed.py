"""A way to what its differential takes for granted: that no function stands at a kink or outside
its domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gradproof.core.program import Program
from gradproof.core.term import Apply, Fold, Power, Read, Term, free, reads, rename, walk
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.formula import Formula
from gradproof.words import sentence
from gradproof.write.matrix import write_term
from gradproof.write.notation import Notation
from gradproof.write.rolled import Page
from gradproof.write.ways import Way

KINK = sentence("Assumed: no element of {what} is 0, where {function} has no slope.")
DOMAIN = sentence("Assumed: every element of {what} is above 0, so that {function} has a slope.")
TIE = sentence("Assumed: the largest element of {what} is larger than all others.")

POSITIVE = ("positive",)


@dataclass(frozen=True, slots=True)
class Assumption:
    """A sentence and what stands in its slots."""

    says: str
    slots: Mapping[str, Notation]


def assumed(way: Way, page: Page, program: Program) -> tuple[Assumption, ...]:
    """What the differential of a way's equation assumes of the tensor that moves."""
    term = way.forward_term
    if all(read.tensor != way.of for read in reads(term)):
        term = rename(way.route.reader.term, {way.route.of: way.of})
    laws = {tensor.name for tensor in program.inputs if tensor.law in POSITIVE}
    found: list[Assumption] = []
    for says, what, node in _conditions(term, way.of):
        if isinstance(what, Read) and what.tensor in laws:
            continue
        slots = {"what": _written(what, page), "function": _written(node, page)}
        if Assumption(says, slots) not in found:
            found.append(Assumption(says, slots))
    return tuple(found)


def _conditions(term: Term, of: str) -> Iterator[tuple[str, Term, Term]]:
    """The functions of a tensor that have no slope somewhere: which sentence says where, what it
    speaks of, and the function."""
    for node in walk(term):
        if all(read.tensor != of for read in reads(node)):
            continue
        match node:
            case Apply(function, arguments, 0):
                record = ELEMENTWISE_BY_NAME[function]
                formulas = tuple(map(Formula, arguments))
                if record.kink is not None:
                    yield KINK, record.kink(*formulas).term, node
                if record.domain is not None:
                    yield DOMAIN, record.domain(*formulas).term, node
            case Power(base, exponent) if exponent.denominator > 1:
                yield DOMAIN, base, node
            case Fold(function, _, body) if function in FOLD_BY_NAME:
                if FOLD_BY_NAME[function].ties:
                    yield TIE, body, node
            case _:
                pass


def _written(term: Term, page: Page) -> Notation:
    axes = tuple(sorted(free(term), key=lambda index: index.number))
    return write_term(term, axes, page.convention, shapes=page.shapes)
