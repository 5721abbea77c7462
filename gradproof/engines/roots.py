"""Square roots in a finite field that stand for the positive roots of real numbers.

A root is known up to its sign, so a formula could hold for the wrong one: ``√(x²) = x``. Not where
the numbers under the roots are independent, no product of some of them a square: then every choice
of signs is an automorphism of the field that the roots generate, and what holds for one choice
holds for the real one. Independence is seen at random points: the quadratic characters of the
numbers, one bit for each point, are independent over the field of two elements. (A product that
is a square has a character of 1 at every point; so what looks independent is.) Roots of rational
numbers are made of roots of primes, ``√12 = 2√3``, and so have their right relations.
"""

from __future__ import annotations

from fractions import Fraction
from typing import final

import flint
import numpy as np

from gradproof.core.errors import NotYet
from gradproof.engines.field import Element, Field, PrimeField

LARGEST = 2**18
"""The numbers of a fraction that is read from a residue are at most this large: one residue in
10⁴ is such a fraction, and a number that is none has a root of unknown sign."""


@final
class Roots:
    """The roots that were taken so far, at several points at once."""

    def __init__(self, field: Field, points: int) -> None:
        self._field = field
        self._residues = PrimeField(field.prime)
        self._points = points
        self._columns: dict[bytes, tuple[np.ndarray, Element]] = {}
        self._basis = [(1 << points) - 1]  # a constant that is no square
        self.count = 0

    def of(self, base: Element) -> Element:
        """The root of each element.

        Raises:
            NotYet: roots whose signs hang together, so that a point says nothing about them.
            UnluckyPoint: a root does not exist.
        """
        shape = base[0].shape
        if not shape or shape[0] != self._points:
            return self._each_rational(base)
        flat = np.stack([part.reshape(self._points, -1) for part in base], axis=-1)
        numbers = {flat[:, k].tobytes(): flat[:, k] for k in range(flat.shape[1])}
        self._enter({key: one for key, one in numbers.items() if key not in self._columns})
        columns = [self._columns[flat[:, k].tobytes()][1] for k in range(flat.shape[1])]
        return tuple(
            np.stack([column[p] for column in columns], axis=1).reshape(shape)
            for p in range(len(base))
        )

    def _enter(self, new: dict[bytes, np.ndarray]) -> None:
        """The roots of new numbers, at every point; all powers are taken of all of them at once."""
        if not new:
            return
        known = {key: values for key, (values, _) in self._columns.items()}
        squares = self._residues.is_square(np.stack([v[:, 0] for v in new.values()], axis=1))
        independent: dict[bytes, np.ndarray] = {}
        multiples: dict[bytes, tuple[bytes, Fraction]] = {}
        for (key, values), square in zip(new.items(), squares.T, strict=True):
            if np.all(values == values[0]):
                root = self._rational(values[0])
                whole = tuple(np.broadcast_to(part, self._points) for part in root)
                self._columns[key] = (values, whole)
            elif np.any(values[:, 1:]):
                raise NotYet("A root of a number that has roots in it has a sign of its own.")
            elif self._independent(square):
                independent[key] = values
            else:
                multiples[key] = self._multiple(values, known)
            known[key] = values
        self.count += len(independent)
        if independent:
            together = np.stack(list(independent.values()), axis=1)
            roots = self._field.root(tuple(together[..., k] for k in range(together.shape[2])))
            for spot, (key, values) in enumerate(independent.items()):
                self._columns[key] = (values, tuple(part[:, spot] for part in roots))
        for key, (other, ratio) in multiples.items():  # √(cq) = √c·√q for a rational c > 0
            root = self._field.multiply(self._columns[other][1], self._of_fraction(ratio))
            self._columns[key] = (new[key], root)

    def _multiple(
        self, values: np.ndarray, known: dict[bytes, np.ndarray]
    ) -> tuple[bytes, Fraction]:
        """Of which number that is known, or about to be, this one is a rational multiple."""
        for key, other in known.items():
            ratio = self._ratio(values, other)
            if ratio is not None:
                return key, ratio
        raise NotYet("Roots of which one is a product of others have signs of their own.")

    def _independent(self, square: np.ndarray) -> bool:
        """Whether a number is no product of those before, up to a square; it is a square there."""
        bits = int("".join("0" if b else "1" for b in square), 2)
        for known in self._basis:
            bits = min(bits, bits ^ known)
        if bits:
            self._basis.append(bits)
            self._basis.sort(reverse=True)
        return bool(bits)

    def _ratio(self, values: np.ndarray, other: np.ndarray) -> Fraction | None:
        """The positive rational number by which one differs from the other at every point."""
        if np.any(values[:, 1:]) or np.any(other[:, 1:]) or not other[0, 0]:
            return None
        (inverse,) = self._residues.inverse((other[:1, 0],))
        ratio = self._residues.times(values[:1, 0], inverse)
        if np.any(self._residues.times(other[:, 0], ratio) != values[:, 0]):
            return None
        found = _fraction(int(ratio[0]), self._field.prime)
        return found if found is not None and found > 0 else None

    # --- roots of rational numbers --------------------------------------------------------------

    def _each_rational(self, base: Element) -> Element:
        rows = np.stack([part.reshape(-1) for part in base], axis=-1)
        roots = [self._rational(row) for row in rows]
        return tuple(
            np.array([root[p] for root in roots], dtype=np.uint64).reshape(base[0].shape)
            for p in range(len(base))
        )

    def _rational(self, element: np.ndarray) -> Element:
        found = _fraction(int(element[0]), self._field.prime) if not np.any(element[1:]) else None
        if found is None or found < 0:
            raise NotYet("A root of this number is not known up to its sign.")
        return self._of_fraction(found)

    def _of_fraction(self, value: Fraction) -> Element:
        """Each prime under the root once: ``√(a/b) = √(ab)/b``."""
        together = value.numerator * value.denominator
        p, residue = self._field.prime, self._field.residue
        result = self._field.embed(residue(pow(value.denominator, -1, p)))
        for prime, power in flint.fmpz(together).factor() if together else [(0, 2)]:
            whole = self._field.embed(residue(pow(int(prime), int(power) // 2, p)))
            result = self._field.multiply(result, whole)
            if power % 2:
                result = self._field.multiply(
                    result, self._field.root(self._field.embed(residue(int(prime))))
                )
        return result


def _fraction(number: int, prime: int) -> Fraction | None:
    """The fraction of small numerator and denominator that a residue stands for (P. S. Wang, "A
    p-adic algorithm for univariate partial fractions", SYMSAC 1981)."""
    before, after = (prime, 0), (number % prime, 1)
    while after[0] > LARGEST:
        quotient = before[0] // after[0]
        before, after = after, (before[0] - quotient * after[0], before[1] - quotient * after[1])
    if not 0 < abs(after[1]) <= LARGEST:
        return None
    return Fraction(after[0], after[1])
