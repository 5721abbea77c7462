"""The inverse of a matrix, with any upstream gradient: ∂l/∂A = −A⁻ᵀ G A⁻ᵀ.

Source: M. B. Giles, "An extended collection of matrix derivative results for forward and reverse
mode algorithmic differentiation" (2008), section 2.2.3; K. B. Petersen and M. S. Pedersen, "The
Matrix Cookbook" (2012), equation 60.
Famous for getting wrong: both transposes left out, or one; the minus.
Hides: a symmetric A hides the transposes.
"""

import numpy as np


def forward(A: "n n", g: "n n, data"):
    V = np.linalg.inv(A)
    return np.sum(g * V)


def backward(V, g):
    dA = -V.T @ g @ V.T
    return {"dA": dA}


SAMPLES = {
    "symmetric": {
        "A": np.array([[2.0, 0.5], [0.5, 1.5]]),
        "g": np.array([[0.5, -1.25], [2.0, 0.75]]),
    }
}
