"""Functions of a whole matrix: its inverse, and the logarithm of its determinant's absolute value.

In the language an inverse binds both axes of its matrix, one inside the other:
``Along("inverse", i, Along("matrix", j, A[i,j], q), p)`` is the element ``V[p,q]`` of the V with
``V A = 1``, and ``Fold("logdet", (i, j), A[i,j])`` is ``log |det A|``. A solved system is
``solve(A, B) = inv(A) B``, a product like any other. The gradients are those of M. B. Giles, "An
extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008): ``−Vᵀ G Vᵀ`` and ``Vᵀ``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradproof.core.index import Affine, Index
from gradproof.core.term import Along, Fold, Term
from gradproof.prims.record import Floats

INVERSE = "inverse"
MATRIX = "matrix"
LOGDET = "logdet"


@dataclass(frozen=True, slots=True)
class OfMatrix:
    """A function of a square matrix; ``forward`` computes it on a plain array, in its dtype."""

    name: str
    forward: Callable[[Floats], Floats]
    text: str
    tex: str
    words: str


OF_MATRIX: tuple[OfMatrix, ...] = (
    OfMatrix(
        INVERSE,
        forward=lambda a: np.linalg.inv(a),
        text="inv",
        tex=r"\operatorname{inv}",
        words="the inverse of a square matrix",
    ),
    OfMatrix(
        LOGDET,
        forward=lambda a: np.linalg.slogdet(a)[1],
        text="logdet",
        tex=r"\operatorname{logdet}",
        words="the logarithm of the determinant's absolute value",
    ),
    OfMatrix(
        MATRIX,
        forward=lambda a: a,
        text="matrix",
        tex=r"\operatorname{matrix}",
        words="the columns of the matrix that a function takes as a whole",
    ),
)
OF_MATRIX_BY_NAME: dict[str, OfMatrix] = {record.name: record for record in OF_MATRIX}


def inverse(rows: Index, columns: Index, body: Term, at: tuple[Affine, Affine]) -> Along:
    """The element of the inverse at a row and a column, of the matrix with these."""
    return Along(INVERSE, rows, Along(MATRIX, columns, body, at[1]), at[0])


def takes_matrix(term: Term) -> bool:
    """Whether a node is a function of a whole matrix, or the inner half of one."""
    match term:
        case Along(name, _, _, _) | Fold(name, _, _):
            return name in OF_MATRIX_BY_NAME
        case _:
            return False
