"""A refuted claim to the text of its certificate."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from gradproof.certificate.check import FORMAT, Finding, confirm, read, work_out
from gradproof.certificate.language import ELEMENTARY
from gradproof.core.errors import NotYet, WitnessError
from gradproof.core.index import Affine, Index
from gradproof.core.program import Claim, Equation, Paper
from gradproof.core.term import (
    Add,
    Along,
    Apply,
    Bracket,
    Compare,
    Fold,
    Number,
    Pi,
    Power,
    Product,
    Read,
    SizeOf,
    Sum,
    Term,
    reads,
    walk,
)
from gradproof.core.told import told
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME
from gradproof.prims.formula import Formula

STATED_BITS = 64
"""The stated intervals are this sharp, so that another release of FLINT confirms them too."""

BITS = (128, 256, 512, 1024, 2048, 4096)


def certificate(
    claim: Claim,
    index: tuple[int, ...],
    paper: Paper,
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    network: str,
) -> str:
    """The certificate that a claim is wrong at one element, already checked.

    Args:
        claim: the refuted claim.
        index: the element of the gradient at which it is wrong.
        paper: the paper that makes the claim.
        inputs: the exact value of every input and constant.
        sizes: a number for each size symbol.
        network: its name, for the reader.

    Raises:
        NotConfirmed: the inputs lie at a kink.
        WitnessError: the claim is right, so the gradient that refuted it is wrong.
        NotYet: a function has no meaning that the check can work out.
    """
    document = _statement(claim, index, paper, inputs, sizes, network)
    for bits in BITS:
        finding = work_out(document, bits)
        if _sharp(finding):
            break
    if finding.claimed.overlaps(finding.true):
        raise WitnessError(
            told(
                "{name} was refuted, but at {index} it is {true}, and so is the derivative by "
                "{of}: the derived gradient is wrong.",
                name=claim.name,
                index=list(index),
                true=finding.true.str(15),
                of=claim.of,
            ),
            advice=told("This is a mistake of gradproof: please report it with the network."),
            place=claim.place,
        )
    document |= {
        "bits": bits,
        "claimed": _stated(finding.claimed, bits),
        "true": _stated(finding.true, bits),
        "value of the loss": _stated(finding.loss, bits),
    }
    text = _written(document)
    confirm(read(text))
    return text


def _statement(
    claim: Claim,
    index: tuple[int, ...],
    paper: Paper,
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    network: str,
) -> dict[str, Any]:
    assert paper.backward is not None
    formula, wanted = _needed(paper.backward.equations, {claim.name})
    forward, leaves = _needed(paper.forward.equations, wanted | {paper.loss, claim.of})
    place = claim.place
    used = [*forward, *formula]
    symbols = {s for e in used for s in _symbols(e)}
    return {
        "format": FORMAT,
        "network": network,
        "claim": {
            "of": claim.of,
            "name": claim.name,
            "index": list(index),
            "line": f"{place.file}:{place.line}  {place.text}" if place else "",
        },
        "loss": paper.loss,
        "sizes": {name: number for name, number in sizes.items() if name in symbols},
        "forward": [_equation(e) for e in forward],
        "formula": [_equation(e) for e in formula],
        "functions": _functions(used),
        "inputs": {name: _array(inputs[name]) for name in inputs if name in leaves},
    }


def _needed(equations: Iterable[Equation], names: set[str]) -> tuple[list[Equation], set[str]]:
    """The equations that these names rest on, in order, and every name that they read."""
    wanted, kept = set(names), []
    for equation in reversed(tuple(equations)):
        if equation.target in wanted:
            kept.append(equation)
            wanted |= {read.tensor for read in reads(equation.term)}
    return kept[::-1], wanted


def _symbols(equation: Equation) -> set[str]:
    """The size symbols that an equation mentions."""
    found = {index.size for index in equation.free}
    for node in walk(equation.term):
        match node:
            case SizeOf(size):
                found.add(size)
            case Read(_, places):
                found |= {v for p in places for v, _ in p.terms if isinstance(v, str)}
            case Bracket(_, position):
                found |= {v for v, _ in position.terms if isinstance(v, str)}
            case Sum(over, _) | Fold(_, over, _):
                found |= {index.size for index in over}
            case Along(_, over, _, position):
                found |= {over.size, *(v for v, _ in position.terms if isinstance(v, str))}
            case _:
                pass
    return {size for size in found if isinstance(size, str)}


def _sharp(finding: Finding) -> bool:
    balls = (finding.claimed, finding.true, finding.loss)
    return all(
        ball.is_exact() or ball.rel_accuracy_bits() > STATED_BITS + 4 for ball in balls
    ) and not finding.claimed.overlaps(finding.true)


def _stated(ball: flint.arb, bits: int) -> str:
    """The ball as a decimal interval, a little wider than it is."""
    before, flint.ctx.prec = flint.ctx.prec, bits
    try:
        slack = abs(ball).upper() * flint.arb(2) ** -STATED_BITS
        return str((ball + flint.arb(0, slack.upper())).str(20))
    finally:
        flint.ctx.prec = before


def _array(array: np.ndarray) -> dict[str, Any]:
    return {"shape": list(array.shape), "values": [_hex(x) for x in array.ravel().tolist()]}


def _hex(x: float) -> str:
    """A number in hexadecimal, exact, without trailing zeros: ``0x1.8p-2``."""
    digits, p, exponent = float(x).hex().partition("p")
    return (
        digits.rstrip("0").removesuffix(".") + p + exponent
        if "." in digits
        else digits + p + exponent
    )


# --- programs to JSON -------------------------------------------------------------------------


def _equation(equation: Equation) -> list[Any]:
    return [equation.target, _binders(equation.free), _term(equation.term)]


def _binders(indices: Iterable[Index]) -> dict[str, int | str]:
    return {_name(index): index.size for index in indices}


def _name(index: Index) -> str:
    return f"i{index.number}"


def _position(position: Affine) -> Any:
    match position:
        case Affine(((Index() as index, 1),), 0):
            return _name(index)
        case Affine((), constant):
            return constant
        case Affine(terms, constant):
            written = {
                _name(v) if isinstance(v, Index) else f"size {v}": coefficient
                for v, coefficient in terms
            }
            return written | ({"1": constant} if constant else {})


def _rational(value: Fraction) -> int | str:
    return value.numerator if value.denominator == 1 else str(value)


def _term(term: Term) -> Any:
    match term:
        case Number(value):
            return _rational(value)
        case SizeOf(size):
            return ["size", size]
        case Pi():
            return ["pi"]
        case Read(tensor, places):
            if tensor.startswith("#"):
                return ["argument", int(tensor[1:])]
            return ["read", tensor, *(_position(p) for p in places)]
        case Add(terms):
            return ["add", *(_term(t) for t in terms)]
        case Product(factors):
            return ["product", *(_term(f) for f in factors)]
        case Sum(over, body):
            return ["sum", _binders(over), _term(body)]
        case Power(base, exponent):
            return ["power", _term(base), _rational(exponent)]
        case Apply(function, arguments, order):
            kind = "slope" if order else "apply"
            return [kind, function, *(_term(a) for a in arguments)]
        case Along("inverse", rows, Along(_, columns, body, column), row):
            where = [_position(row), _position(column)]
            return ["inverse", _binders((rows, columns)), _term(body), *where]
        case Fold(function, over, body):
            return ["fold", function, _binders(over), _term(body)]
        case Along(function, over, body, position):
            return ["along", function, _binders((over,)), _term(body), _position(position)]
        case Compare(relation, left, right):
            return ["compare", relation, _term(left), _term(right)]
        case Bracket(relation, position):
            return ["bracket", relation, _position(position)]


def _functions(equations: Iterable[Equation]) -> dict[str, Any]:
    """The meaning of every function that is used, and of those that these are made of."""
    waiting = [e.term for e in equations]
    found: dict[str, Any] = {}
    while waiting:
        for node in walk(waiting.pop()):
            if not isinstance(node, Apply) or node.function in found:
                continue
            record = ELEMENTWISE_BY_NAME[node.function]
            if node.function in ELEMENTARY:
                continue
            if record.meaning is None:
                raise NotYet(
                    told(
                        "A certificate cannot say yet what {function} means.",
                        function=node.function,
                    )
                )
            arguments = [Formula(Read(f"#{k}", ())) for k in range(len(record.arguments))]
            meaning = record.meaning(*arguments).term
            found[node.function] = [len(arguments), _term(meaning)]
            waiting.append(meaning)
    return found


def _written(document: Mapping[str, Any]) -> str:
    """JSON with one equation, function or input on a line."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            inner = ",\n".join(f"  {_compact(one)}" for one in value)
            lines.append(f" {_compact(key)}: [\n{inner}\n ]")
        elif key in ("functions", "inputs") and value:
            inner = ",\n".join(f"  {_compact(k)}: {_compact(one)}" for k, one in value.items())
            lines.append(f" {_compact(key)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {_compact(key)}: {_compact(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
