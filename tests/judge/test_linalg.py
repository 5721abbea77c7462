"""Inverses, solved systems and log-determinants, through every party."""

from __future__ import annotations

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import GradproofError
from gradproof.gallery import catalogue
from gradproof.workbench import verify_source


def inverted(A: "n n", g: "n n, data"):
    V = np.linalg.inv(A)
    return np.sum(g * V)


def volume(A: "n n"):
    return np.linalg.slogdet(A)[1]


def verdict(forward, formula, engine="numpy", dtype="float32"):
    return gp.verify(forward, formula, engine=engine, dtype=dtype, seed=3)


def by_products(A, V, g):
    return {"dA": -(V.T @ g @ V.T)}


def by_solving(A, V, g):
    return {"dA": -(np.linalg.solve(A.T, g) @ V.T)}


def without_minus(A, V, g):
    return {"dA": V.T @ g @ V.T}


def without_transpose(A, V, g):
    return {"dA": -(V @ g @ V)}


@pytest.mark.parametrize("engine", ["numpy", "torch", "tensorflow", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("formula", [by_products, by_solving])
def test_two_ways_to_write_the_gradient_of_an_inverse_are_proved(engine, dtype, formula):
    report = verdict(inverted, formula, engine, dtype)
    assert report["A"].formula_verdict.kind == "proved"
    assert report.ok


@pytest.mark.parametrize("formula", [without_minus, without_transpose])
def test_a_wrong_gradient_of_an_inverse_is_refuted(formula):
    assert verdict(inverted, formula)["A"].formula_verdict.kind == "refuted"


def test_a_symmetric_matrix_hides_the_transpose():
    A = np.array([[3.0, 1.0], [1.0, 2.0]])
    right = gp.solve(A.T, np.eye(2))
    assert np.allclose(right, right.T)
    A[0, 1] = 2.0
    right = gp.solve(A.T, np.eye(2))
    assert not np.allclose(right, right.T)


@pytest.mark.parametrize("engine", ["numpy", "torch", "tensorflow", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_slope_of_a_log_determinant_is_the_inverse_transposed(engine, dtype):
    report = verdict(volume, lambda A: {"dA": np.linalg.inv(A).T}, engine, dtype)
    assert report["A"].formula_verdict.kind == "proved"
    assert "refuted" not in str(report)
    assert report.ok or dtype == "float32"  # there the bound of a determinant may say nothing
    wrong = verdict(volume, lambda A: {"dA": np.linalg.inv(A)}, engine, dtype)
    assert wrong["A"].formula_verdict.kind == "refuted"


def test_a_matrix_that_is_not_square_is_named_with_its_shape():
    def forward(A: "3 4"):
        return np.sum(np.linalg.inv(A))

    with pytest.raises(GradproofError, match="square matrix, and this is 3×4"):
        gp.derive(forward)


def test_a_singular_matrix_is_an_error():
    with pytest.raises(GradproofError, match="singular"):
        gp.verify(inverted, inputs={"A": np.ones((2, 2)), "g": np.eye(2)}, engine="numpy")


def test_the_page_writes_inverses_as_people_do():
    gradient = str(gp.derive(inverted))
    assert "∂l/∂A = −A⁻ᵀ ∂l/∂V A⁻ᵀ" in gradient
    assert "∂l/∂A = A⁻ᵀ" in str(gp.derive(volume))


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("name", ["inverse", "linear_solve", "log_det"])
def test_published_gradients_of_matrices_are_proved_and_agree(name, engine):
    report = verify_source(catalogue.find(name), {}, engine, "float64", 1, {})
    rows = [row for batch in report.batches for row in batch.gradients]
    assert {row.engine_verdict.kind for row in rows} == {"agrees"}
    assert {row.formula_verdict.kind for row in rows} == {"derived", "proved"}
