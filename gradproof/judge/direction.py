"""A network to a certified derivative in one direction, with no rule of differentiation at all.

The rigorous complex step. To one tensor t·v is added, v fixed, and the loss is a function f(t) with
f(t) = Σ c_k t^k and real c_k. With a complex step ih

    Im f(ih) / h = c₁ − c₃h² + c₅h⁴ − …,     c₁ = f′(0) = ⟨∂l/∂tensor, v⟩,

and Cauchy's inequality |c_k| ≤ M/R^k, M ≥ |f(t) − f(0)| on the disc |t| ≤ R, bounds what follows:

    |Im f(ih)/h − f′(0)| ≤ (M/R)·q²/(1 − q²),     q = h/R.

M comes from one evaluation on a box of complex balls that encloses the disc. Both the step and the
disc are chosen freely, because every number is a certified ball. The complex step is that of
W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM
Review 40 (1998).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import flint
import numpy as np

from gradproof.core.errors import WitnessError
from gradproof.core.program import Derivation, Equation, Program
from gradproof.core.term import reads
from gradproof.core.told import told, told_all
from gradproof.engines.acb import Acb, Kinked
from gradproof.engines.arb import precision
from gradproof.engines.arithmetic import Value
from gradproof.engines.evaluate import Room, evaluate, evaluate_equation

WANTED_BITS = 80
"""Relative accuracy aimed at: 24 decimal digits."""

RADII = (40, 80, 160, 320, 640, 1280)
"""The disc's radius is 2 to the minus these, in turn, until the loss is analytic on it."""

FEWEST_DIGITS = 15
"""With fewer digits in common a witness has said nothing."""

TRIES = 4
"""How often the precision is raised on one disc."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What the complex step says of one derived gradient.

    ``agrees`` means that the derived ⟨g, v⟩ and the certified derivative overlap, and that
    together they pin down ``digits`` decimal digits, at least `FEWEST_DIGITS`. It is `None` where
    there is no derivative at these inputs, or no sharp enclosure was found: ``because`` says which.
    """

    of: str
    agrees: bool | None
    digits: float = 0.0
    because: str = ""


@dataclass(frozen=True, slots=True)
class Slope:
    """An enclosure of ⟨∂l/∂tensor, v⟩, and the bound on the loss's slope that it came from.

    Where the derivative is zero, the bound is the unit in which its digits are counted.
    """

    ball: flint.arb
    scale: flint.arb


@dataclass(frozen=True, slots=True)
class Tap:
    """A tensor with a direction, and the equations that its change reaches."""

    of: str
    direction: np.ndarray
    reached: tuple[Equation, ...]


class Forward:
    """The untouched forward values at each precision that was needed, worked out once."""

    def __init__(
        self, program: Program, inputs: Mapping[str, np.ndarray], sizes: Mapping[str, int]
    ) -> None:
        self.program, self.inputs, self.sizes = program, inputs, sizes
        self.known: dict[int, dict[str, Value]] = {}

    def at(self, bits: int) -> dict[str, Value]:
        """Every tensor as complex balls at this precision."""
        if bits not in self.known:
            with precision(bits):
                acb = Acb()
                lifted = {name: acb.lift(array) for name, array in self.inputs.items()}
                self.known[bits] = evaluate(self.program, lifted, self.sizes, acb)
        return self.known[bits]


def tap(program: Program, of: str, direction: np.ndarray) -> Tap:
    """A direction at a tensor; the equations after it that depend on it, in order."""
    touched, reached = {of}, []
    for equation in program.equations:
        if any(r.tensor in touched for r in reads(equation.term)):
            touched.add(equation.target)
            reached.append(equation)
    return Tap(of, direction, tuple(reached))


def directional(forward: Forward, at: Tap) -> Slope:
    """An enclosure of ⟨∂l/∂tensor, v⟩, as sharp as `WANTED_BITS` where that can be reached.

    Raises:
        Kinked: the loss is not analytic on any disc that was tried.
    """
    (loss,) = forward.program.outputs
    if loss not in {equation.target for equation in at.reached} | {at.of}:
        return Slope(flint.arb(0), flint.arb(1))
    problem = Kinked(told("no disc around these inputs gave a finite bound"))
    best: Slope | None = None
    for radius in RADII:
        try:
            best = _sharper(best, _on_disc(forward, at, loss, radius))
        except Kinked as kink:
            problem = kink
        if best is not None and good_bits(best.ball, best.scale) >= WANTED_BITS:
            return best
    if best is None:
        raise problem
    return best


def _sharper(one: Slope | None, other: Slope | None) -> Slope | None:
    if one is None or other is None:
        return one or other
    return other if other.ball.rad() < one.ball.rad() else one


def _on_disc(forward: Forward, at: Tap, loss: str, radius: int) -> Slope | None:
    """The enclosure from the disc of radius 2^-radius, or `None` where it is not finite."""
    bits = radius + 2 * WANTED_BITS
    best: Slope | None = None
    for _ in range(TRIES):
        with precision(bits):
            found = _step(forward, at, loss, radius, bits)
        best = _sharper(best, found)
        if found is None or best is None:
            return best
        missing = WANTED_BITS - good_bits(best.ball, best.scale)
        if missing <= 0:
            return best
        bits += missing + 64
    return best


def _step(forward: Forward, at: Tap, loss: str, radius: int, bits: int) -> Slope | None:
    values = forward.at(bits)
    big = flint.arb(2) ** -radius
    around = flint.arb(0, big)
    box = _moved(forward, at, loss, flint.acb(around, around), values)
    centre = values[loss][0].item().real.mid()
    bound = abs(box - centre).upper() / big
    if not bound.is_finite():
        return None
    # Nothing cancels in a complex step, so h may be as small as one likes: q² swallows the bound,
    # and leaves digits of a derivative as small as 2^-bits.
    q = flint.arb(2) ** -(bits + max(0, _exponent(bound)))
    step = q * big
    found = _moved(forward, at, loss, flint.acb(0, step), values)
    enclosure = found.imag / step + flint.arb(0, remainder(bound, q).upper())
    return Slope(enclosure, bound) if enclosure.is_finite() else None


def remainder(bound: flint.arb, q: flint.arb) -> flint.arb:
    """How far Im f(ih)/h can be from f′(0), with M/R and q = h/R: Cauchy's inequality, summed."""
    return bound * q * q / (1 - q * q)


def _moved(
    forward: Forward, at: Tap, loss: str, t: flint.acb, values: Mapping[str, Value]
) -> flint.acb:
    """The loss when t·v is added to the tapped tensor."""
    acb = Acb()
    tensors = dict(values)
    moved = np.empty(at.direction.shape, dtype=object)
    moved[...] = values[at.of][0] + at.direction * t
    tensors[at.of] = (moved,)
    for equation in at.reached:
        tensors[equation.target] = evaluate_equation(equation, Room(tensors, forward.sizes, acb))
    return tensors[loss][0].item()


def _exponent(size: flint.arb) -> int:
    """An e such that a positive number is at most 2^e."""
    mantissa, exponent = size.upper().man_exp()
    return int(exponent) + int(mantissa).bit_length()


def good_bits(ball: flint.arb, scale: flint.arb) -> int:
    """How many bits of a number are known; of one that may be zero, how many below the scale."""
    if ball.is_exact():
        return max(WANTED_BITS, flint.ctx.prec)
    if not ball.contains(0):
        return int(ball.rel_accuracy_bits())
    return _exponent(scale) - _exponent(abs(ball))


def draw_direction(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Multiples of 2^-31 in [−1, 1): an element wrong by far more than the enclosure is wide meets
    a draw that hides it with odds of about 2^-32."""
    whole = random.integers(-(2**31), 2**31, shape)
    scale = flint.arb(2) ** -31
    made = np.empty(shape, dtype=object)
    for place in np.ndindex(*shape):
        made[place] = flint.arb(int(whole[place])) * scale
    return made


def witnesses(
    derivation: Derivation,
    balls: Mapping[str, np.ndarray],
    inputs: Mapping[str, np.ndarray],
    sizes: Mapping[str, int],
    seed: int,
) -> tuple[Witness, ...]:
    """Every derived gradient beside a certified derivative that no rule of ours had a part in.

    Args:
        derivation: the gradients.
        balls: Arb enclosures of them at the inputs, by their own names.
        inputs: the exact value of every input and constant.
        sizes: a number for each size symbol.
        seed: of the directions.
    """
    random = np.random.default_rng(seed)
    forward = Forward(derivation.forward, inputs, sizes)
    found = []
    for of, name in derivation.gradients.items():
        gradient = balls[name]
        direction = draw_direction(gradient.shape, random)
        found.append(_witness(forward, tap(derivation.forward, of, direction), gradient))
    return tuple(found)


def _witness(forward: Forward, at: Tap, gradient: np.ndarray) -> Witness:
    try:
        true = directional(forward, at)
    except Kinked as problem:
        return Witness(at.of, None, because=problem.args[0])
    with precision(RADII[-1]):
        derived = np.sum(gradient * at.direction, initial=flint.arb(0))
        if not derived.overlaps(true.ball):
            return Witness(
                at.of,
                False,
                because=told(
                    "{derived} is not {true}", derived=derived.str(20), true=true.ball.str(20)
                ),
            )
        digits = good_bits(derived.union(true.ball), true.scale) * math.log10(2)
    if digits < FEWEST_DIGITS:
        return Witness(
            at.of,
            None,
            digits,
            told("only {digits:.0f} digits could be certified", digits=max(digits, 0)),
        )
    return Witness(at.of, True, digits)


def sentence(found: tuple[Witness, ...], names: Mapping[str, str], title: str) -> str:
    """What the witnesses say together, for a reader.

    Raises:
        WitnessError: a derived gradient is wrong.
    """
    for one in found:
        if one.agrees is False:
            raise WitnessError(
                told(
                    "On {title} the derived {gradient} is wrong: {because}.",
                    title=title,
                    gradient=names[one.of],
                    because=one.because,
                ),
                advice=told("This is a mistake of gradproof: please report it with the network."),
            )
    agree = [one for one in found if one.agrees]
    silent = [
        told("{gradient}: {because}.", gradient=names[one.of], because=one.because)
        for one in found
        if one.agrees is None
    ]
    if agree:
        said = told(
            "Complex step on {title}: {agreeing} of {count} derived gradients agree with a "
            "certified derivative in a random direction, to {digits:.0f} digits.",
            title=title,
            agreeing=len(agree),
            count=len(found),
            digits=min(one.digits for one in agree),
        )
    else:
        said = told(
            "Complex step on {title}: {agreeing} of {count} derived gradients agree with a "
            "certified derivative in a random direction.",
            title=title,
            agreeing=0,
            count=len(found),
        )
    return told_all([said, *silent])
