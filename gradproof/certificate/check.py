"""A certificate file to yes or no: is the claimed formula really not the gradient?

Needs Python, python-flint and nothing else: this file, `language.py` and what they read import no
line of gradproof's derivation, dictionary or arithmetic.

A certificate holds a network as index equations, a claimed formula for ∂l/∂v in the same
language, exact inputs, and one element. Two numbers are worked out from it in Arb balls, which
enclose the exact values. The claimed one is the formula, evaluated. The true one uses no
derivative of any function that is written here: t is added to the element of v, everything after
it becomes a power series in t cut off after t¹ (FLINT's `arb_series`), and the coefficient of t in
the loss is the derivative. The claim is wrong if the two enclosures are disjoint.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flint

from gradproof.certificate.language import Room, Tensor, binders, compiled, kind
from gradproof.certificate.numbers import ZERO, NotConfirmed, Unreadable, depends, series

FORMAT = "gradproof certificate 1"
MOST_BITS = 100_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What was worked out: enclosures of the claimed and the true element, and of the loss."""

    claimed: flint.arb
    true: flint.arb
    loss: flint.arb


# --- reading ----------------------------------------------------------------------------------


def part(document: Any, key: str, kind: type) -> Any:
    """The entry of a JSON object, which must have this type."""
    if not isinstance(document, dict) or key not in document:
        raise Unreadable(f"it has no {key!r}")
    if not isinstance(document[key], kind) or isinstance(document[key], bool):
        raise Unreadable(f"its {key!r} is not of the type {kind.__name__}")
    return document[key]


def read(text: str) -> dict[str, Any]:
    """The document in a file's text.

    Raises:
        Unreadable: it is no JSON, or of another format.
    """
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise Unreadable(f"it is not JSON: {problem}") from problem
    if part(document, "format", str) != FORMAT:
        raise Unreadable(f"its format is {document['format']!r}, not {FORMAT!r}")
    return dict(document)


def interval(document: Mapping[str, Any], key: str) -> flint.arb:
    """A stated interval, such as ``"[0.25 +/- 1e-20]"``; parsing can only widen it."""
    said = part(document, key, str)
    try:
        ball = flint.arb(said)
    except (ValueError, ZeroDivisionError) as problem:
        raise Unreadable(f"its {key!r} is not an interval: {said!r}") from problem
    if not ball.is_finite():
        raise NotConfirmed(f"the stated interval {said} says nothing")
    return ball


def given(document: Mapping[str, Any]) -> dict[str, Tensor]:
    """The inputs, exactly as written: hexadecimal floating-point numbers."""
    tensors: dict[str, Tensor] = {}
    for name, entry in part(document, "inputs", dict).items():
        shape = tuple(part(entry, "shape", list))
        written = part(entry, "values", list)
        if not all(isinstance(n, int) and n >= 0 for n in shape):
            raise Unreadable(f"the shape of {name} is not a list of sizes")
        try:
            elements = [flint.arb(float.fromhex(number)) for number in written]
        except (ValueError, TypeError, OverflowError) as problem:
            raise Unreadable(f"{name} has an element that is no hexadecimal float") from problem
        if len(elements) != count(shape):
            raise Unreadable(f"{name} has {len(elements)} elements and the shape {list(shape)}")
        if not all(element.is_finite() for element in elements):
            raise Unreadable(f"{name} has an element that is not finite")
        tensors[name] = Tensor(shape, elements)
    return tensors


def count(shape: Sequence[int]) -> int:
    """How many elements a shape has."""
    product = 1
    for size in shape:
        product *= size
    return product


# --- the check --------------------------------------------------------------------------------


def equations(document: Mapping[str, Any], key: str) -> list[tuple[str, dict[str, Any], Any]]:
    """The equations ``[target, {index: size}, term]`` of a program."""
    found = part(document, key, list)
    for one in found:
        if not (isinstance(one, list) and len(one) == 3 and isinstance(one[0], str)):
            raise Unreadable(f"an equation of {key!r} is not [name, indices, term]")
    return [(one[0], one[1], one[2]) for one in found]


def solved(indices: Any, term: Any, room: Room) -> Tensor:
    """The tensor that an equation defines."""
    free = binders(indices, {}, room)
    body = compiled(term, free, room)
    shape = tuple(free.values())
    places = itertools.product(*(range(length) for length in shape))
    return Tensor(shape, [body(dict(zip(free, spots, strict=True))) for spots in places])


def mentions(term: Any, names: set[str]) -> bool:
    """Whether a term reads one of these tensors."""
    if not isinstance(term, list):
        return False
    if kind(term) == "read" and term[1] in names:
        return True
    return any(mentions(part, names) for part in term)


def offset(index: Sequence[Any], shape: Sequence[int]) -> int:
    """The place of an element in the list of a tensor's elements."""
    inside = len(index) == len(shape) and all(
        isinstance(k, int) and 0 <= k < length for k, length in zip(index, shape, strict=True)
    )
    if not inside:
        raise Unreadable(f"{list(index)} is no element of a tensor of the shape {list(shape)}")
    spot = 0
    for k, length in zip(index, shape, strict=True):
        spot = spot * length + k
    return spot


def work_out(document: Mapping[str, Any], bits: int) -> Finding:
    """The claimed and the true element, and the loss, at this precision.

    Raises:
        Unreadable: the document is not a certificate.
        NotConfirmed: there is no derivative here, or a value is not finite.
    """
    before = flint.ctx.prec, flint.ctx.cap
    flint.ctx.prec, flint.ctx.cap = bits, 3
    try:
        return _worked_out(document)
    except (ValueError, ZeroDivisionError, OverflowError) as problem:
        raise NotConfirmed(f"a function has no value or no derivative here: {problem}") from problem
    except RecursionError as problem:
        raise Unreadable("its terms are nested too deeply") from problem
    finally:
        flint.ctx.prec, flint.ctx.cap = before


def _worked_out(document: Mapping[str, Any]) -> Finding:
    claim = part(document, "claim", dict)
    of, name, index = part(claim, "of", str), part(claim, "name", str), part(claim, "index", list)
    room = Room(part(document, "sizes", dict), part(document, "functions", dict), given(document))
    known = dict(room.tensors)
    forward = equations(document, "forward")
    _run(forward, known, room)
    loss = part(document, "loss", str)
    if loss not in known or known[loss].shape or of not in known:
        raise Unreadable(f"forward does not define the scalar {loss} and {of}")
    here = offset(index, known[of].shape)
    true = _tapped(forward, of, here, loss, known, room)
    value = known[loss].elements[0]
    _run(equations(document, "formula"), known, room)
    if name not in known or known[name].shape != known[of].shape:
        raise Unreadable(f"the formula does not define {name} with the shape of {of}")
    finding = Finding(known[name].elements[here], true, value)
    if not (finding.claimed.is_finite() and true.is_finite() and value.is_finite()):
        raise NotConfirmed("a value is not finite, or not sharp enough at this precision")
    return finding


def _run(
    program: list[tuple[str, dict[str, Any], Any]], known: dict[str, Tensor], room: Room
) -> None:
    for target, indices, term in program:
        if target in known:
            raise Unreadable(f"{target} is defined twice")
        known[target] = solved(indices, term, Room(room.sizes, room.functions, known))


def _tapped(
    forward: list[tuple[str, dict[str, Any], Any]],
    of: str,
    here: int,
    loss: str,
    known: Mapping[str, Tensor],
    room: Room,
) -> flint.arb:
    """The coefficient of t in the loss when t is added to one element of one tensor."""
    elements = list(known[of].elements)
    elements[here] = series(elements[here], flint.arb(1))
    tensors = {**known, of: Tensor(known[of].shape, elements)}
    touched = {of}
    for target, indices, term in forward:
        if mentions(term, touched):
            tensors[target] = solved(indices, term, Room(room.sizes, room.functions, tensors))
            touched.add(target)
    scalar = tensors[loss].elements[0]
    return scalar[1] if depends(scalar) else ZERO


def confirm(document: Mapping[str, Any]) -> Finding:
    """Works everything out again and compares it with what the certificate states.

    Raises:
        Unreadable: the document is not a certificate.
        NotConfirmed: what it states does not follow; the message says what.
    """
    bits = part(document, "bits", int)
    if not 2 <= bits <= MOST_BITS:
        raise Unreadable(f"a precision of {bits} bits is not between 2 and {MOST_BITS}")
    finding = work_out(document, bits)
    before, flint.ctx.prec = flint.ctx.prec, bits
    try:
        claimed, true = interval(document, "claimed"), interval(document, "true")
        for stated, ball, title in (
            (claimed, finding.claimed, "the claimed element"),
            (true, finding.true, "the true element"),
            (interval(document, "value of the loss"), finding.loss, "the loss"),
        ):
            if not stated.contains(ball):
                raise NotConfirmed(f"{title} is {ball.str(15)}, which is not in {stated.str(15)}")
        if claimed.overlaps(true):
            raise NotConfirmed("the two stated intervals overlap, so nothing is refuted")
    finally:
        flint.ctx.prec = before
    return finding


def sentences(document: Mapping[str, Any]) -> list[str]:
    """What a confirmed certificate says, for a reader."""
    claim = document["claim"]
    where = f"[{', '.join(map(str, claim['index']))}]" if claim["index"] else ""
    element = f"∂{document['loss']}/∂{claim['of']}{where}"
    sizes = ", ".join(f"{name} = {size}" for name, size in document["sizes"].items())
    return [
        f"network  {document.get('network', '')}" + (f", {sizes}" if sizes else ""),
        f"claim    {claim['name']}" + (f"  {claim['line']}" if claim.get("line") else ""),
        f"element  {element}",
        f"claimed  {document['claimed']}",
        f"true     {document['true']}",
    ]


def main(arguments: Sequence[str]) -> int:
    """Checks one file; returns 0 confirmed, 1 not confirmed, 2 unreadable."""
    if len(arguments) != 1:
        print("usage: check.py CERTIFICATE.json", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            document = read(file.read())
        confirm(document)
    except (OSError, UnicodeDecodeError, Unreadable) as problem:
        print(f"unreadable: {arguments[0]}: {problem}", file=sys.stderr)
        return 2
    except NotConfirmed as problem:
        print(f"✗ not confirmed: {problem}.")
        return 1
    print("\n".join(sentences(document)))
    print(
        "✓ confirmed: the two intervals are disjoint, so the claimed formula is not the gradient."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
