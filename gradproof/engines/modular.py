"""Programs over a random finite field: exact arithmetic in which identities are tested at random
points.

exp is a random function E with ``E(0) = 1`` and ``E(−z) = 1/E(z)``, so that sigmoid, tanh and
softmax, which are built from it, obey their derivative relations as theorems. A step ``[t > 0]`` is
a random function with 0 at 0, and ``[t ≥ 0] = 1 − [−t > 0]``; on request, as if no t were 0, it is
``1 − [t > 0]`` at −t. The largest element of a row is ``Σ cᵢxᵢ`` with random ``cᵢ`` that add up to
1, the same wherever the row's elements are compared with it. An identity that holds for such
functions holds for the real ones. Two formulas that differ are told
apart by a random point but for the chance of Schwartz and Zippel (J. Schwartz, "Fast probabilistic
algorithms for verification of polynomial identities", JACM 27, 1980).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import final

import flint
import numpy as np

from gradproof.core.errors import NotYet
from gradproof.core.term import Relation
from gradproof.engines.arithmetic import Arithmetic, Value, each_matrix
from gradproof.engines.field import (
    Element,
    Field,
    PrimeField,
    QuadraticField,
    UnluckyPoint,
    random_prime,
)
from gradproof.engines.roots import Roots

__all__ = ["Modular", "UnluckyPoint"]


@final
class Modular(Arithmetic):
    """Elements of a finite field; its prime and its random functions come from a secret key."""

    def __init__(
        self,
        key: bytes,
        *,
        rooted: bool = False,
        points: int | None = None,
        apart: bool = False,
        unequal: bool = False,
    ) -> None:
        """With `rooted` every number has a square root. With `apart` of two numbers that are
        compared one is the larger, and with `unequal` two that are asked to be equal are not, by
        accident: what then holds, holds but for ties.

        With `points`, the first axis of what depends on a point has their number, and a root is
        taken only where its sign cannot matter; without, as it comes: not for a proof.
        """
        prime = random_prime(key)
        self._key = key
        self._field: Field = QuadraticField(prime) if rooted else PrimeField(prime)
        self._roots = None if points is None else Roots(self._field, points)
        self._apart = apart
        self._unequal = unequal
        self._exponentials: list[tuple[Element, Element]] = []
        self._signs: dict[tuple[int, ...], Element] = {}
        self._choices: dict[tuple[int, ...], int] = {}
        self.generators = 0

    @property
    def prime(self) -> int:
        """The number of residues."""
        return self._field.prime

    @property
    def roots(self) -> int:
        """How many different numbers a root was taken of, at each point."""
        return 0 if self._roots is None else self._roots.count

    # --- random functions -----------------------------------------------------------------------

    def _hashed(self, purpose: bytes, data: bytes) -> int:
        digest = hashlib.blake2b(purpose + b"|" + data, key=self._key, digest_size=32).digest()
        return 1 + int.from_bytes(digest, "little") % (self.prime - 1)

    def _random(self, purpose: bytes, element: Element) -> Element:
        """A random function of each element: equal elements get equal residues."""
        self.generators += int(element[0].size)
        rows = np.stack([part.reshape(-1) for part in element], axis=-1)
        known: dict[bytes, int] = {}
        found = np.empty(len(rows), dtype=np.uint64)
        for k, row in enumerate(rows):
            data = row.tobytes()
            if data not in known:
                known[data] = self._hashed(purpose, data)
            found[k] = known[data]
        return self._field.embed(found.reshape(element[0].shape))

    def draw(self, shape: tuple[int, ...], purpose: str) -> Value:
        """Random residues for one tensor, whose name is the purpose."""
        count = int(np.prod(shape, dtype=np.int64))
        stream = hashlib.shake_256(self._key + purpose.encode()).digest(8 * count)
        # No residue is drawn with a probability of more than (1 + 2⁻¹³)/p.
        words = np.frombuffer(stream, dtype=np.uint64) % np.uint64(self.prime)
        return self._field.embed(words.reshape(shape))

    # --- arithmetic -----------------------------------------------------------------------------

    def lift(self, array: np.ndarray) -> Value:
        flat = np.asarray(array)
        unique, where = np.unique(flat, return_inverse=True)
        exact = [Fraction(float(x)) for x in unique]
        p = self.prime
        residues = [x.numerator * pow(x.denominator, -1, p) % p for x in exact]
        table = np.array(residues, dtype=np.uint64)
        return self._field.embed(table[where].reshape(flat.shape))

    def number(self, value: Fraction) -> Value:
        if value.denominator % self.prime == 0:
            raise UnluckyPoint
        inverse = pow(value.denominator, -1, self.prime)
        return self._field.embed(self._field.residue(value.numerator * inverse))

    def add(self, values: Sequence[Value]) -> Value:
        result = values[0]
        for value in values[1:]:
            result = self._field.add(result, value)
        return result

    def repeat(self, value: Value, count: int) -> Value:
        return self.multiply(value, self.number(Fraction(count)))

    def multiply(self, left: Value, right: Value) -> Value:
        return self._field.multiply(left, right)

    def power(self, base: Value, exponent: Fraction) -> Value:
        """Integer powers and square roots exactly; of others the fractional part is random.

        ``x^q = x^⌊q⌋ · R(x)`` with a random function R for the fraction that is left over: what
        holds for every R holds for the real power.
        """
        if exponent.denominator == 2 and self._is_pi(base):
            return self._integer_power(self._root_of_pi(), exponent.numerator)
        whole, rest = divmod(exponent, 1)
        result = self._integer_power(base, int(whole))
        if rest == Fraction(1, 2):
            root = self._field.root(base) if self._roots is None else self._roots.of(base)
            return self.multiply(result, root)
        if rest:
            return self.multiply(result, self._random(f"power {rest}".encode(), base))
        return result

    def _integer_power(self, base: Value, exponent: int) -> Value:
        if exponent < 0:
            return self._field.power(self._field.inverse(base), -exponent)
        return self._field.power(base, exponent)

    def total(self, value: Value, axes: tuple[int, ...]) -> Value:
        return self._field.total(value, axes)

    def matmul(self, left: Value, right: Value) -> Value:
        stacked = tuple(part[..., :, :, None] for part in left)
        beside = tuple(part[..., None, :, :] for part in right)
        return self.total(self.multiply(stacked, beside), (-2,))

    # --- functions ------------------------------------------------------------------------------

    def pi(self) -> Value:
        """The square of a random residue, which is its root: √π is transcendental, so what holds
        for it as a polynomial holds for every number."""
        root = self._root_of_pi()
        return self.multiply(root, root)

    def _root_of_pi(self) -> Value:
        return self._field.embed(np.asarray(self._hashed(b"pi", b""), dtype=np.uint64))

    def _is_pi(self, value: Value) -> bool:
        return value[0].size == 1 and all(
            bool(np.all(a == b)) for a, b in zip(value, self.pi(), strict=True)
        )

    def elementary(self, name: str, value: Value) -> Value:
        match name:
            case "exp":
                return self._exp(value)
            case "log":
                return self._log(value)
            case "erf":
                return self._odd(b"erf", value)
            case "sin" | "cos":
                return self._on_circle(name, value)
            case _:
                raise NotYet(f"{name} has no meaning modulo a prime.")

    def _odd(self, purpose: bytes, value: Value) -> Value:
        """A random odd function."""
        flipped, smaller = self._halved(value)
        drawn = self._random(purpose, smaller)
        result = _chosen(flipped, self._field.negate(drawn), drawn)
        zero = np.logical_and.reduce([part == 0 for part in value])
        return _chosen(zero, tuple(np.zeros_like(part) for part in result), result)

    def _on_circle(self, name: str, value: Value) -> Value:
        """``(1 − t²)/(1 + t²)`` or ``2t/(1 + t²)`` of a random odd function t: even, odd, and the
        sum of their squares is 1."""
        t = self._odd(b"circle", value)
        square, one = self.multiply(t, t), self._field.one(t)
        below = self._field.inverse(self._field.add(one, square))
        above = (
            self._field.add(one, self._field.negate(square))
            if name == "cos"
            else self._field.add(t, t)
        )
        return self.multiply(above, below)

    def _halved(self, value: Value) -> tuple[np.ndarray, Value]:
        """Which elements are the larger of ``z`` and ``−z``, and the smaller of the two."""
        last, first = value[-1], value[0]
        half = np.uint64(self.prime // 2)
        flipped = np.where(last == 0, first > half, last > half)
        opposite = self._field.negate(value)
        return flipped, _chosen(flipped, opposite, value)

    def _exp(self, value: Value) -> Value:
        flipped, smaller = self._halved(value)
        drawn = self._random(b"exp", smaller)
        zero = np.logical_and.reduce([part == 0 for part in value])
        result = _chosen(flipped, self._field.inverse(drawn), drawn)
        result = _chosen(zero, self._field.one(value), result)
        self._exponentials.append((result, value))
        return result

    def _log(self, value: Value) -> Value:
        """Random with ``log(1/x) = −log x`` and ``log 1 = 0``; of an exponential, its argument."""
        inverse = self._field.inverse(value)
        mine = np.stack(value, axis=-1).reshape(-1, len(value))
        other = np.stack(inverse, axis=-1).reshape(-1, len(value))
        known = {
            row.tobytes(): argument
            for results, arguments in self._exponentials
            for row, argument in zip(_rows(results), _rows(arguments), strict=True)
        }
        found = np.zeros_like(mine)
        for k, (row, turned) in enumerate(zip(mine, other, strict=True)):
            data, reverse = row.tobytes(), turned.tobytes()
            if data in known:
                found[k] = known[data]
            elif data != reverse:
                drawn = self._hashed(b"log", min(data, reverse))
                found[k, 0] = drawn if data < reverse else self.prime - drawn
        self.generators += len(mine)
        return tuple(found[:, k].reshape(value[0].shape) for k in range(len(value)))

    def compare(self, relation: Relation, left: Value, right: Value) -> Value:
        if relation == "==":
            return self._equal(left, right)
        difference = self._field.add(left, self._field.negate(right))
        if relation == ">":
            return self._step(difference)
        return self._complement(self._step(self._field.negate(difference)))

    def _complement(self, value: Value) -> Value:
        return self._field.add(self._field.one(value), self._field.negate(value))

    def _step(self, difference: Value) -> Value:
        """``[t > 0]``."""
        zero = np.logical_and.reduce([part == 0 for part in difference])
        if self._apart:
            flipped, smaller = self._halved(difference)
            drawn = self._random(b"step", smaller)
            result = _chosen(flipped, self._complement(drawn), drawn)
        else:
            result = self._random(b"step", difference)
        result = _chosen(zero, tuple(np.zeros_like(part) for part in result), result)
        return self._known_signs(difference, result)

    def _known_signs(self, difference: Value, steps: Value) -> Value:
        """``[relu(z) > 0]`` is ``[z > 0]``, and ``[−relu(z) > 0]`` is 0."""
        if not self._signs:
            return steps
        rows, results = _rows(difference), _rows(steps)
        changed = np.array(
            [
                self._signs.get(tuple(map(int, row)), own)
                for row, own in zip(rows, results, strict=True)
            ],
            dtype=np.uint64,
        ).reshape(results.shape)
        return tuple(changed[:, k].reshape(steps[0].shape) for k in range(len(steps)))

    def _equal(self, left: Value, right: Value) -> Value:
        """1 where equal, and elsewhere a random even function of the difference: numbers that may
        be equal, as labels are, seldom are at a random point, and a formula must be right there,
        too. But the largest of a row equals each of its elements by its choice."""
        parts = [np.broadcast_arrays(x, y) for x, y in zip(left, right, strict=True)]
        same = np.logical_and.reduce([x == y for x, y in parts])
        if self._unequal:
            equal = same.astype(np.uint64)
        else:
            _, smaller = self._halved(self._field.add(left, self._field.negate(right)))
            equal = np.where(same, np.uint64(1), self._random(b"equal", smaller)[0])
        if self._choices:
            ours = _rows(tuple(x for x, _ in parts))
            theirs = _rows(tuple(y for _, y in parts))
            flat = equal.reshape(-1).copy()
            for k, (x, y) in enumerate(zip(ours, theirs, strict=True)):
                pair = (*map(int, x), *map(int, y))
                if pair in self._choices:
                    flat[k] = self._choices[pair]
            equal = flat.reshape(equal.shape)
        return self._field.embed(equal)

    def inverse(self, value: Value) -> Value:
        if len(value) > 1:
            return super().inverse(value)

        def of_one(matrix: np.ndarray) -> np.ndarray:
            try:
                inverse = self._matrix(matrix).inv()
            except ZeroDivisionError:
                raise UnluckyPoint from None
            entries = [int(x) for x in inverse.entries()]
            return np.array(entries, dtype=np.uint64).reshape(matrix.shape)

        return (each_matrix(value[0], of_one),)

    def logdet(self, value: Value) -> Value:
        """``½ L(d²)`` of the determinant d, with the random L that stands for the logarithm."""
        if len(value) > 1:
            return super().logdet(value)
        found = each_matrix(value[0], lambda a: int(self._matrix(a).det()), to_numbers=True)
        if np.any(found == 0):
            raise UnluckyPoint
        logarithm = self._log(self.multiply((found,), (found,)))
        return self.multiply(self.number(Fraction(1, 2)), logarithm)

    def _matrix(self, residues: np.ndarray) -> flint.nmod_mat:
        return flint.nmod_mat(*residues.shape, residues.ravel().tolist(), self.prime)

    def largest(self, value: Value, axis: int) -> Value:
        moved = tuple(np.moveaxis(part, axis, -1) for part in value)
        shape = moved[0].shape
        rows = np.stack(moved, axis=-1).reshape(-1, shape[-1], len(value))
        choice = np.stack([self._choice(row) for row in rows]).reshape(shape)
        result = self.total(self.multiply(moved, self._field.embed(choice)), (-1,))
        for row, chosen, top in zip(
            rows, choice.reshape(-1, shape[-1]), _rows(result), strict=True
        ):
            for element, c in zip(row, chosen, strict=True):
                x, y = tuple(map(int, element)), tuple(map(int, top))
                self._choices[(*x, *y)] = self._choices[(*y, *x)] = int(c)
        return result

    def _choice(self, row: np.ndarray) -> np.ndarray:
        """Random numbers that add up to 1, one for each element, whatever their order."""
        elements = [element.tobytes() for element in row]
        together = b"".join(sorted(elements))
        self.generators += len(elements)
        drawn = np.array(
            [self._hashed(b"choice" + element, together) for element in elements], dtype=np.uint64
        )
        first = min(range(len(elements)), key=lambda k: elements[k])
        others = sum(int(x) for k, x in enumerate(drawn) if k != first)
        drawn[first] = (1 - others) % self.prime
        return drawn

    def function(self, name: str, arguments: tuple[Value, ...], order: int) -> Value | None:
        if name != "relu" or order:
            return None
        (z,) = arguments
        steps = self.compare(">", z, self.number(Fraction(0)))
        result = self.multiply(z, steps)
        below = self._field.negate(result)
        for row, step, other in zip(_rows(result), _rows(steps), _rows(below), strict=True):
            self._signs[tuple(map(int, row))] = tuple(step)
            self._signs[tuple(map(int, other))] = (0,) * len(step)
        return result


def _rows(element: Element) -> np.ndarray:
    return np.stack([part.reshape(-1) for part in element], axis=-1)


def _chosen(which: np.ndarray, one: Element, other: Element) -> Element:
    return tuple(np.where(which, a, b) for a, b in zip(one, other, strict=True))
