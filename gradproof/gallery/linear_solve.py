"""A linear system as a layer, x = A⁻¹ b, with a squared loss: its gradient is the adjoint method.

Source: M. B. Giles, "An extended collection of matrix derivative results for forward and reverse
mode algorithmic differentiation" (2008), section 2.3.1.
Famous for getting wrong: the system of the adjoint is that of Aᵀ; the minus in ∂l/∂A; its outer
product turned round.
Hides: a symmetric A hides the transpose in ∂l/∂b.
"""

import numpy as np


def forward(A: "n n", b: "n k", y: "n k, data"):
    x = np.linalg.solve(A, b)
    return 0.5 * np.sum((x - y) ** 2)


def backward(A, x, y):
    dx = x - y
    db = np.linalg.solve(A.T, dx)
    dA = -db @ x.T
    return {"dx": dx, "db": db, "dA": dA}


def _tensorflow(tf, A, b, y):
    """It solves, where the function above multiplies by the inverse."""
    x = tf.linalg.solve(A, b)
    return {"x": x, "loss": 0.5 * tf.reduce_sum((x - y) ** 2)}


def _torch(torch, A, b, y):
    x = torch.linalg.solve(A, b)
    return {"x": x, "loss": 0.5 * ((x - y) ** 2).sum()}


def _jax(jax, A, b, y):
    x = jax.scipy.linalg.solve(A, b)
    return {"x": x, "loss": 0.5 * ((x - y) ** 2).sum()}


NATIVE = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}
SAMPLES = {
    "symmetric": {
        "A": np.array([[3.0, 1.0], [1.0, 2.0]]),
        "b": np.array([[0.5, 1.25], [-1.0, 0.75]]),
        "y": np.array([[1.0, 0.25], [0.5, -0.5]]),
    }
}
