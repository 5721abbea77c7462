"""The published float32 numbers of `fnn`, replayed operation by operation."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import flint
import numpy as np
from rich.cells import cell_len
from rich.text import Text

from gradproof.core.program import Paper
from gradproof.core.told import told
from gradproof.derivation import derive
from gradproof.engines.arb import precision
from gradproof.engines.evaluate import Room, evaluate, evaluate_equation
from gradproof.engines.rounded import BITS, Rounded
from gradproof.explain import said
from gradproof.gallery import fnn
from gradproof.judge.last_digit import LastDigit, by_names, last_digit
from gradproof.report.lines import padded
from gradproof.report.table import wrapped
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature
from gradproof.words.say import ENGLISH, say

WIDTH = 88

PUBLISHED = {
    "a1": "[[0.585077   0.19305778 0.2161     0.64204717]]",
    "∂l/∂a2": "[[ 0.1497804  -0.05124322  0.23775901]]",
    "∂l/∂z2 by hand": "[[ 0.03706735 -0.01267625  0.05851869]]",
    "∂l/∂z2 TensorFlow": "[[ 0.03706735 -0.01267625  0.05851868]]",
    "∂l/∂W2 by hand": "[[ 0.02168725 -0.00741658  0.03423794]\n"
    " [ 0.00715614 -0.00244725  0.01129749]\n"
    " [ 0.00801025 -0.00273934  0.01264589]\n"
    " [ 0.02379899 -0.00813875  0.03757175]]",
    "∂l/∂W2 TensorFlow": "[[ 0.02168725 -0.00741658  0.03423793]\n"
    " [ 0.00715614 -0.00244725  0.01129749]\n"
    " [ 0.00801025 -0.00273934  0.01264589]\n"
    " [ 0.02379899 -0.00813875  0.03757175]]",
}
"""What was printed, as NumPy prints it."""

_ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Pair:
    """The famous pair: two float32 results of one product, and the exact one between them."""

    exact: str
    hand: np.float32
    tensorflow: np.float32
    hand_ulps: float
    tensorflow_ulps: float


def _paper() -> Paper:
    signature = read_signature(fnn.forward)
    return trace(fnn.forward, fnn.backward, signature, {"n": 1})


def replay() -> dict[str, np.ndarray]:
    """Every published tensor, by a correctly rounded float32 machine, in both orders."""
    paper = _paper()
    assert paper.backward is not None
    machine = Rounded()
    inputs = {name: machine.lift(array) for name, array in fnn.ARTICLE.items()}
    sizes = {"n": 1}
    values = evaluate(paper.forward, inputs, sizes, machine)
    hand = evaluate(paper.backward, values, sizes, machine)
    g, s = hand["dl_da2"], values["a2"]
    other = machine.add([machine.number(_ONE), machine.multiply(machine.number(-_ONE), s)])
    tensorflow = {**hand, "dl_dz2": machine.multiply(machine.multiply(g, s), other)}
    product = next(e for e in paper.backward.equations if e.target == "dl_dW2")
    room = Room(tensorflow, sizes, machine)
    return {
        "a1": values["a1"][0],
        "a2": s[0],
        "∂l/∂a2": g[0],
        "∂l/∂z2 by hand": hand["dl_dz2"][0],
        "∂l/∂z2 TensorFlow": tensorflow["dl_dz2"][0],
        "∂l/∂W2 by hand": hand["dl_dW2"][0],
        "∂l/∂W2 TensorFlow": evaluate_equation(product, room)[0],
    }


def the_pair() -> Pair:
    """The last element of ∂l/∂z2, exactly from the float32 operands and in both orders."""
    found = replay()
    g, s = float(found["∂l/∂a2"][0, 2]), float(found["a2"][0, 2])
    hand, tensorflow = found["∂l/∂z2 by hand"][0, 2], found["∂l/∂z2 TensorFlow"][0, 2]
    with precision(BITS):
        exact = flint.arb(g) * flint.arb(s) * (1 - flint.arb(s))
        ulp = float(np.spacing(hand))
        distances = [float(abs((exact - flint.arb(float(x))) / ulp)) for x in (hand, tensorflow)]
        return Pair(exact.str(17, radius=False), hand, tensorflow, *distances)


def last_digits() -> LastDigit:
    """Which order of products gives each member of the pair, found by search."""
    paper = _paper()
    gradient = next(e for e in derive(paper.forward).backward.equations if e.target == "∂l/∂z2")
    stage = by_names(gradient, paper.forward)
    found = replay()
    operands = {"∂l/∂a2": found["∂l/∂a2"], "a2": found["a2"]}
    return last_digit(
        ("TensorFlow", told("by hand")),
        (stage, stage),
        (found["∂l/∂z2 TensorFlow"], found["∂l/∂z2 by hand"]),
        (operands, operands),
        {"n": 1},
    )


def why(lang: str = ENGLISH) -> list[str]:
    """The pair explained, in lines."""
    return said(last_digits(), lang)


def shown(array: np.ndarray) -> str:
    """A tensor as NumPy prints it, at 8 digits."""
    return np.array2string(array, precision=8)


def story(lang: str = ENGLISH) -> str:
    """The replayed numbers beside the published ones, and why two of them differ."""
    lines = [say("fnn, replayed: every operation exact, then rounded once to float32", lang), ""]
    found = replay()
    for name, published in PUBLISHED.items():
        numbers = shown(found[name])
        same = say("as published", lang)
        other = say("published: {numbers}", lang, numbers=published)
        gradient, by_hand, _ = name.partition(" by hand")
        called = say("{gradient} by hand", lang, gradient=gradient) if by_hand else name
        lines += [f"{called}   {same if numbers == published else other}", numbers, ""]
    pair = the_pair()
    ways = (
        (say("exact", lang), "g·s·(1−s)", pair.exact, None),
        (say("by hand", lang), "g·(s·(1−s))", f"{pair.hand:.8f}", pair.hand_ulps),
        ("TensorFlow", "(g·s)·(1−s)", f"{pair.tensorflow:.8f}", pair.tensorflow_ulps),
    )
    width = max(cell_len(f"{who} {form}") for who, form, _, _ in ways)
    lines.append(say("Why two last digits differ", lang))
    for who, form, number, ulps in ways:
        away = "" if ulps is None else say("   {ulps:.2f} ulp away", lang, ulps=ulps)
        lines.append(f"  {padded(f'{who} {form}', width)} {number}{away}")
    because = say(
        "Both are right within float32: the order of the two products differs, and each product is "
        "rounded. The hand value is the nearer one. W2 is not published: the one used is a "
        "reconstruction that gives every published digit.",
        lang,
    )
    return "\n".join([*lines, *(part.plain for part in wrapped(Text(because), WIDTH, indent=0))])
