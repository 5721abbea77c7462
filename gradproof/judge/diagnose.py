"""A wrong formula to the mistakes that give its numbers: known mistakes, confirmed by evaluation.

Each mistake is made on the right formula, and the result is compared with the claim element by
element, exactly, at a random point of a finite field: first at the sizes of the data, and then at
other ones, so that what is the same only at a batch of one is told apart. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

import flint
import numpy as np

from gradproof.core.index import Size
from gradproof.core.normal import product
from gradproof.core.program import Claim, Paper
from gradproof.core.term import (
    Number,
    Power,
    SizeOf,
    Term,
)
from gradproof.engines.arb import precision
from gradproof.engines.arithmetic import Value
from gradproof.engines.modular import Modular
from gradproof.judge.clinic import SEED, Clinic, Diagnosis, Explanation, tried
from gradproof.judge.ground import (
    REAL_BITS,
    Ground,
    claimed_value,
    differing,
    real_ground,
    same,
    times,
    value_of,
)
from gradproof.judge.points import POINT
from gradproof.mistakes.catalogue import MISTAKES
from gradproof.mistakes.elements import one_element
from gradproof.mistakes.record import Mistake, Scene, Wrong
from gradproof.words import sentence

COMBINED = (Fraction(-1), Fraction(2), Fraction(1, 2), Fraction(-2), Fraction(-1, 2))
"""Constants that are tried on top of another mistake."""


def diagnose(claim: Claim, paper: Paper, clinic: Clinic) -> Diagnosis | None:
    """The mistakes that give the numbers of a wrong claim, or `None` where none is found.

    Args:
        claim: a claim whose own formula is wrong: its earlier gradients are taken as right.
        paper: the paper that makes it.
        clinic: its network.
    """
    claimed = _claimed(claim, paper, clinic)
    right = clinic.derivation.gradients[claim.of]
    if clinic.here is None or claimed[0] is None or right not in clinic.here.tensors:
        return None
    if same(claimed[0], clinic.here.tensors[right]) and (
        clinic.elsewhere is None or same(claimed[1], clinic.elsewhere.tensors[right])
    ):
        return None  # not wrong as a formula
    found = _single(claim, clinic, claimed)
    if found is not None:
        return found
    return next((one for one in _others(claim, paper, clinic, claimed) if one is not None), None)


def _claimed(claim: Claim, paper: Paper, clinic: Clinic) -> tuple[Value | None, Value | None]:
    values = [
        claimed_value(claim.name, paper, clinic.derivation, on) if on is not None else None
        for on in (clinic.here, clinic.elsewhere)
    ]
    return values[0], values[1]


def _grounds(clinic: Clinic) -> tuple[Mapping[str, int], Mapping[str, int]]:
    def symbols(on: Ground | None) -> Mapping[str, int]:
        return {s: n for s, n in on.sizes.items() if s != POINT.size} if on is not None else {}

    return symbols(clinic.here), symbols(clinic.elsewhere)


# --- one mistake -------------------------------------------------------------------------------


def _single(
    claim: Claim, clinic: Clinic, claimed: tuple[Value | None, Value | None]
) -> Diagnosis | None:
    """The known mistakes with exactly the claim's numbers."""
    assert clinic.here is not None
    everywhere: list[tuple[Mistake, Wrong]] = []
    only_here: list[tuple[Mistake, Wrong]] = []
    for mistake, made, value in tried(claim.of, clinic):
        if mistake.reshapes or not same(claimed[0], value):
            continue
        if clinic.elsewhere is not None and not same(
            claimed[1], value_of(made.equation, clinic.elsewhere)
        ):
            only_here.append((mistake, made))
        else:
            everywhere.append((mistake, made))
    if not everywhere and not only_here:
        return None
    here, other = _grounds(clinic)
    return Diagnosis(claim.of, _merged(everywhere), _apart(only_here), here, other)


def _explained(mistake: Mistake, made: Wrong, alike: tuple[str, ...] = ()) -> Explanation:
    return Explanation(mistake.name, mistake.words, made.slots, made.equation, alike)


def _merged(found: list[tuple[Mistake, Wrong]]) -> tuple[Explanation, ...]:
    """One explanation: all of them give the same numbers at every size, so they are one formula."""
    if not found:
        return ()
    (first, made), *rest = found
    alike = tuple(dict.fromkeys(m.name for m, _ in rest if m.name != first.name))
    return (_explained(first, made, alike),)


def _apart(found: list[tuple[Mistake, Wrong]]) -> tuple[Explanation, ...]:
    """One explanation for each mistake; they differ at other sizes."""
    by_name: dict[str, Explanation] = {}
    for mistake, made in found:
        by_name.setdefault(mistake.name, _explained(mistake, made))
    return tuple(by_name.values())


# --- what no short list of wrong formulas has ----------------------------------------------------


def _others(
    claim: Claim, paper: Paper, clinic: Clinic, claimed: tuple[Value | None, Value | None]
) -> Iterator[Diagnosis | None]:
    on, value = clinic.here, claimed[0]
    if on is None or value is None:
        return
    right = on.tensors[clinic.derivation.gradients[claim.of]]
    yield _any_constant(claim, paper, clinic, claimed)
    yield _one_element(claim, paper, clinic, value, right)
    yield _permuted(claim, clinic, value, right)
    yield _zeros(claim, clinic, value, right)
    yield _two_mistakes(claim, clinic, claimed)


def _any_constant(
    claim: Claim, paper: Paper, clinic: Clinic, claimed: tuple[Value | None, Value | None]
) -> Diagnosis | None:
    """The same wrong constant in every element."""
    assert clinic.here is not None and claimed[0] is not None
    name = clinic.derivation.gradients[claim.of]
    if not _proportional(claimed[0], clinic.here.tensors[name], clinic.here):
        return None
    constant = _real_ratio(claim, paper, clinic, None)
    if constant is None:
        return None
    words, slots = sentence("It is {constant} times the gradient."), {"constant": _said(constant)}
    exact = _ratio(claimed[0], clinic.here.tensors[name], clinic.here)
    found = Explanation("a constant", words, slots, None)
    if exact is not None and constant.contains(flint.fmpq(exact.numerator, exact.denominator)):
        base = clinic.bases[claim.of][0]
        wrong = replace(base, term=product(Number(exact), base.term))
        found = Explanation("a constant", words, {"constant": str(exact)}, wrong)
        if clinic.elsewhere is not None and not same(claimed[1], value_of(wrong, clinic.elsewhere)):
            return Diagnosis(claim.of, (), (found,), *_grounds(clinic))
    return Diagnosis(claim.of, (found,), (), *_grounds(clinic))


def _real_ratio(
    claim: Claim, paper: Paper, clinic: Clinic, index: tuple[int, ...] | None
) -> flint.arb | None:
    """What one element of the claim is of the right one, over the real numbers."""
    assert clinic.here is not None
    sizes = {s: n for s, n in clinic.here.sizes.items() if s != POINT.size}
    on = real_ground(paper, clinic.derivation, sizes, len(SEED))
    with precision(REAL_BITS):
        value = claimed_value(claim.name, paper, clinic.derivation, on)
        right = on.tensors[clinic.derivation.gradients[claim.of]]
        if value is None or value[0].shape != right[0].shape:
            return None
        places = [(0, *index)] if index is not None else np.ndindex(*right[0].shape)
        for place in places:
            if right[0][place] != 0:
                return value[0][place] / right[0][place]
    return None


def _said(ratio: flint.arb) -> str:
    return f"{float(ratio.mid()):.6g}"


def _proportional(left: Value, right: Value, on: Ground) -> bool:
    """Whether ``left = c·right`` with one c, where neither is zero throughout."""
    if left[0].shape != right[0].shape or left[0].size == 1:
        return False
    spots = np.flatnonzero(np.logical_or.reduce([part.reshape(-1) != 0 for part in right]))
    if not len(spots) or not any(part.reshape(-1)[spots[0]] for part in left):
        return False
    one, other = (tuple(part.reshape(-1)[spots[0]] for part in side) for side in (left, right))
    machine = on.machine
    return same(machine.multiply(left, _scalar(other)), machine.multiply(right, _scalar(one)))


def _scalar(element: tuple[np.uint64, ...]) -> Value:
    return tuple(np.asarray(part) for part in element)


def _ratio(left: Value, right: Value, on: Ground) -> Fraction | None:
    """The small rational number that one element is of another, if there is one."""
    a, b = left[0].reshape(-1), right[0].reshape(-1)
    spots = np.flatnonzero(b)
    if not len(spots):
        return None
    k = int(spots[0])
    assert isinstance(on.machine, Modular)
    prime = on.machine.prime
    return rational(int(a[k]) * pow(int(b[k]), -1, prime) % prime, prime)


def rational(residue: int, prime: int) -> Fraction | None:
    """The fraction of small numbers that a residue is, by the extended Euclidean algorithm.

    Of all residues one in a thousand is such a fraction: it is confirmed by all other numbers.
    P. S. Wang, M. J. T. Guy, J. H. Davenport, "P-adic reconstruction of rational numbers",
    SIGSAM Bulletin 16 (1982): unique where both numbers are below √(p/2).
    """
    limit = 1 << 20
    before, now, old, new = prime, residue, 0, 1
    while now > limit:
        quotient = before // now
        before, now = now, before - quotient * now
        old, new = new, old - quotient * new
    if not new or abs(new) > limit:
        return None
    return Fraction(now, new)


def _one_element(
    claim: Claim, paper: Paper, clinic: Clinic, value: Value, right: Value
) -> Diagnosis | None:
    if value[0].shape != right[0].shape:
        return None
    wrong = np.argwhere(differing(value, right))
    if len(wrong) != 1 or value[0].size == 1:
        return None
    index = tuple(int(k) for k in wrong[0])
    ratio = _real_ratio(claim, paper, clinic, index)
    base = clinic.bases[claim.of][0]
    scene = Scene(claim.of, base, clinic.derivation, clinic.shapes)
    mistake = next(m for m in MISTAKES if m.name == "one element off")
    if ratio is None:
        where = f"[{', '.join(map(str, index))}]"
        words = sentence("Only the element {where} is wrong; all others are right.")
        found = Explanation(mistake.name, words, {"where": where}, None)
    else:
        found = _explained(mistake, one_element(scene, index, Fraction(float((ratio - 1).mid()))))
    return Diagnosis(claim.of, (found,), (), *_grounds(clinic))


def _permuted(claim: Claim, clinic: Clinic, value: Value, right: Value) -> Diagnosis | None:
    """The slices along one axis in another order."""
    if value[0].shape != right[0].shape:
        return None
    for axis in range(value[0].ndim - 1):
        mine = [_key(value, axis, k) for k in range(value[0].shape[axis + 1])]
        theirs = [_key(right, axis, k) for k in range(right[0].shape[axis + 1])]
        if mine != theirs and sorted(mine) == sorted(theirs) and len(set(mine)) == len(mine):
            order = ", ".join(str(theirs.index(key)) for key in mine)
            found = Explanation(
                "permuted",
                sentence("The positions of axis {axis} are in another order: {order}."),
                {"axis": str(axis), "order": order},
                None,
            )
            return Diagnosis(claim.of, (found,), (), *_grounds(clinic))
    return None


def _key(value: Value, axis: int, k: int) -> bytes:
    return b"".join(np.take(part[0], k, axis=axis).tobytes() for part in value)


def _zeros(claim: Claim, clinic: Clinic, value: Value, right: Value) -> Diagnosis | None:
    """Right but for some positions of one axis, where it is zero."""
    if value[0].shape != right[0].shape:
        return None
    off = differing(value, right)
    zero = np.logical_and.reduce([part[0] == 0 for part in value])
    if not off.any() or not zero[off].all():
        return None
    for axis in range(off.ndim):
        rows = off.any(axis=tuple(a for a in range(off.ndim) if a != axis))
        if not rows.all():
            places = ", ".join(str(k) for k in np.flatnonzero(rows))
            found = Explanation(
                "zeros",
                sentence(
                    "Zero where the gradient is not, at positions {places} of axis {axis}; right "
                    "elsewhere."
                ),
                {"axis": str(axis), "places": places},
                None,
            )
            return Diagnosis(claim.of, (found,), (), *_grounds(clinic))
    return None


def _two_mistakes(
    claim: Claim, clinic: Clinic, claimed: tuple[Value | None, Value | None]
) -> Diagnosis | None:
    """A mistake and a wrong constant on top of it."""
    assert clinic.here is not None and claimed[0] is not None
    sizes = {s for shape in clinic.shapes.values() for s in shape if s != 1}
    for mistake, made, value in tried(claim.of, clinic):
        if mistake.reshapes or value is None:
            continue
        constant = _ratio(claimed[0], value, clinic.here)
        if constant is None or constant in (0, 1):
            continue
        if not same(claimed[0], times(value, constant, clinic.here)):
            continue
        for factor in (Number(constant), *_size_factors(sizes)):
            wrong = replace(made.equation, term=product(factor, made.equation.term))
            if constant not in COMBINED and isinstance(factor, Number):
                continue
            if same(claimed[0], value_of(wrong, clinic.here)) and (
                clinic.elsewhere is None or same(claimed[1], value_of(wrong, clinic.elsewhere))
            ):
                found = replace(_explained(mistake, made), constant=constant, wrong=wrong)
                return Diagnosis(claim.of, (found,), (), *_grounds(clinic))
    return None


def _size_factors(sizes: set[Size]) -> Iterator[Term]:
    for size in sizes:
        if isinstance(size, str):
            for exponent in (1, -1):
                yield SizeOf(size) if exponent == 1 else Power(SizeOf(size), Fraction(exponent))
        else:
            yield from (Number(Fraction(size)), Number(Fraction(1, size)))


# --- a claim of the wrong shape ------------------------------------------------------------------


def diagnose_shape(claim: Claim, paper: Paper, clinic: Clinic) -> Diagnosis | None:
    """The mistakes that give a claim of the wrong shape, with exactly its numbers."""
    claimed = _claimed(claim, paper, clinic)
    if clinic.here is None or claimed[0] is None:
        return None
    found: list[tuple[Mistake, Wrong]] = []
    for mistake, made, value in tried(claim.of, clinic):
        if (
            mistake.reshapes
            and same(claimed[0], value)
            and (
                clinic.elsewhere is None
                or same(claimed[1], value_of(made.equation, clinic.elsewhere))
            )
        ):
            found.append((mistake, made))
    explanations = _merged(found)
    return Diagnosis(claim.of, explanations, (), *_grounds(clinic)) if explanations else None
