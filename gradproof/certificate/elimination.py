"""Square matrices to their inverses and determinants, by Gauss and Jordan.

Nothing but sums, products and quotients: the elements may be power series, and what comes out is
the series of the result. So no rule for the derivative of an inverse or a determinant is used.
Standard library and python-flint only.
"""

from __future__ import annotations

from gradproof.certificate.numbers import ONE, ZERO, NotConfirmed, Scalar, value_of

Rows = list[list[Scalar]]


def inverted(matrix: Rows) -> Rows:
    """The rows of the inverse.

    Raises:
        NotConfirmed: as `_pivot` does.
    """
    side = len(matrix)
    rows = [[*row, *(ONE if i == j else ZERO for j in range(side))] for i, row in enumerate(matrix)]
    for k in range(side):
        spot = _pivot(rows, k)
        rows[k], rows[spot] = rows[spot], rows[k]
        scale = ONE / rows[k][k]
        rows[k] = [scale * x for x in rows[k]]
        for i in range(side):
            if i != k:
                rows[i] = _cleared(rows[i], rows[i][k], rows[k])
    return [row[side:] for row in rows]


def determinant(matrix: Rows) -> Scalar:
    """The determinant up to its sign, which exchanges of rows may turn.

    Raises:
        NotConfirmed: as `_pivot` does.
    """
    rows = list(matrix)
    product = ONE
    for k in range(len(rows)):
        spot = _pivot(rows, k)
        rows[k], rows[spot] = rows[spot], rows[k]
        product = product * rows[k][k]
        for i in range(k + 1, len(rows)):
            rows[i] = _cleared(rows[i], rows[i][k] / rows[k][k], rows[k])
    return product


def _cleared(row: list[Scalar], factor: Scalar, other: list[Scalar]) -> list[Scalar]:
    return [x - factor * y for x, y in zip(row, other, strict=True)]


def _pivot(rows: Rows, k: int) -> int:
    """The row from k on whose element in column k is farthest from 0.

    Raises:
        NotConfirmed: none is certainly not 0.
    """
    sizes = [value_of(row[k]).abs_lower() for row in rows[k:]]
    best = max(range(len(sizes)), key=lambda spot: float(sizes[spot]))
    if not sizes[best] > 0:
        raise NotConfirmed("a matrix is singular here, or may be at this precision")
    return k + best
