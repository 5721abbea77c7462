"""The verbs in Python: what they take, what they give, and what they say of a wrong call."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

import gradproof as gp
from gradproof.gallery import fnn, mlp
from gradproof.report.report import RefutedError


def forward(x: "n 3", W: "3 2", y: "n 2, data"):
    z = x @ W
    a = gp.sigmoid(z)
    return np.sum((a - y) ** 2)


def right(x, z, a, y):
    dl_da = 2 * (a - y)
    dl_dz = dl_da * a * (1 - a)
    dl_dW = x.T @ dl_dz
    return locals()


def wrong(x, z, a, y):
    dl_da = a - y
    dl_dW = x.T @ (dl_da * gp.sigmoid.derivative(z))
    return locals()


# --- derive -----------------------------------------------------------------------------------


EQUATIONS = """\
forward, in row convention

Inputs
  x   n×3
  W   3×2
  y   n×2

Forward
  z = x W             n×2
  a = σ(z)            n×2
  loss = Σ (a − y)²   scalar

Gradients, back to front
  ∂l/∂a = 2 (a − y)       n×2
  ∂l/∂z = ∂l/∂a ⊙ σ′(z)   n×2
  ∂l/∂W = xᵀ ∂l/∂z        3×2
  ∂l/∂x = ∂l/∂z Wᵀ        n×3"""


def test_a_derivation_prints_as_its_equations():
    assert str(gp.derive(forward)) == EQUATIONS


def test_a_derivation_has_each_gradient_by_name():
    page = gp.derive(forward)
    assert page["W"] == "∂l/∂W = xᵀ ∂l/∂z"
    with pytest.raises(gp.UnknownName, match=r"no gradient with respect to Q\.  .* a, z, W, x"):
        page["Q"]


def test_a_derivation_is_the_same_equations_in_columns_and_in_latex():
    page = gp.derive(forward)
    assert "  ∂l/∂W = ∂l/∂z xᵀ        2×3" in page.to_text("column").splitlines()
    rows = [line for line in page.to_latex("column").splitlines() if line[0] != "%"]
    assert (rows[0], rows[-1]) == (r"\begin{align*}", r"\end{align*}")
    assert len(rows) == 2 + len(page.derivation.forward.equations) + len(page.derivation.steps)
    assert rows[1] == r"z &= W \, x \\"


def test_an_unknown_convention():
    with pytest.raises(gp.DataError, match="row or column, not rows"):
        gp.derive(forward).to_text("rows")


# --- verify: what is given --------------------------------------------------------------------


def test_shapes_given_set_the_sizes():
    for shape in ("7 3", (7, 3)):
        report = gp.verify(forward, inputs={"x": shape}, engine="numpy")
        assert report.batches[0].sizes == {"n": 7}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("7 4", r'x has the shape \(7, 4\), but its annotation says "n 3"'),
        ("7", r"x has 1 axes \(7,\)"),
        ("m 3", r'x has the shape \(m, 3\), but its annotation says "n 3"'),
        (np.ones((4, 2)), r"x has the shape \(4, 2\)"),
    ],
)
def test_a_shape_that_is_not_the_annotations(given, said):
    with pytest.raises(gp.ShapeError, match=said):
        gp.verify(forward, inputs={"x": given}, engine="numpy")


def test_shapes_that_contradict_each_other():
    with pytest.raises(gp.ShapeError, match='annotation says "n 2" and n is 7'):
        gp.verify(forward, inputs={"x": "7 3", "y": "6 2"}, engine="numpy")


def test_a_list_may_mix_arrays_and_shapes():
    first = np.linspace(-1, 1, 15).reshape(3, 5)
    report = gp.verify(
        mlp.forward, inputs={"Ws": [first, "5 4", (4, 6), "6 2"]}, engine="numpy", dtype="float64"
    )
    assert np.array_equal(report.batches[0].inputs["Ws[1]"], first)


@pytest.mark.parametrize(("given", "said"), [(["3 5"], "not 1"), (5, "not int")])
def test_a_list_of_another_length(given, said):
    with pytest.raises(gp.ShapeError, match=f"Ws is a list of 4 tensors, {said}"):
        gp.verify(mlp.forward, inputs={"Ws": given}, engine="numpy")


def test_an_unknown_dtype():
    with pytest.raises(gp.DataError, match="'float8' is not one of"):
        gp.verify(forward, engine="numpy", dtype="float8")


def test_a_loss_that_is_not_a_function():
    with pytest.raises(gp.NetworkError, match="forward is int, not a function"):
        gp.verify(3)


def test_auto_takes_a_framework_that_is_installed():
    assert gp.verify(forward).engine in ("TensorFlow", "PyTorch", "JAX", "NumPy")


# --- the report -------------------------------------------------------------------------------


def test_a_report_of_right_formulas():
    report = gp.verify(forward, right, engine="numpy")
    assert report.ok
    assert report.exit_code == 0
    assert report["W"].formula_verdict.kind == "proved"
    assert report["W"].engine_verdict.kind == "agrees"
    assert report["x"].formula_verdict.kind == "derived"
    report.raise_if_refuted()


def test_a_report_of_a_wrong_formula():
    report = gp.verify(forward, wrong, engine="numpy")
    assert not report.ok
    assert report["a"].formula_verdict.kind == "refuted"
    assert report["W"].formula_verdict.inherited
    with pytest.raises(RefutedError, match=r"∂l/∂a is refuted: .* test_python\.py:\d+"):
        report.raise_if_refuted()


def test_a_report_says_which_gradients_it_has():
    with pytest.raises(KeyError, match=r"no gradient with respect to Q; of: a, z, W, x"):
        gp.verify(forward, engine="numpy")["Q"]


def test_a_report_is_shown_as_the_command_line_shows_it():
    stream = io.StringIO()
    gp.show(gp.verify(forward, right, engine="numpy"), Console(file=stream, width=100))
    assert stream.getvalue().startswith("gradproof verify forward\nengine  NumPy")
    assert "All hold" in stream.getvalue()


def test_what_the_loss_does_not_depend_on_is_zero_and_said_so():
    def idle(x: "n 2", unused: "3"):
        return np.sum(x**2)

    report = gp.verify(idle, engine="numpy")
    assert report["unused"].zero
    assert not report["x"].zero
    assert np.array_equal(report["unused"].engine, np.zeros(3))
    assert str(gp.derive(idle)).endswith("The loss does not depend on unused: zero.")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("network", "backward"), [(forward, right), (forward, wrong), (fnn.forward, fnn.backward)]
)
def test_json_has_all_that_the_report_has(network, backward, dtype):
    report = gp.verify(network, backward, engine="numpy", dtype=dtype)
    read = json.loads(report.to_json())
    assert set(read) == {
        "network", "loss", "dtype", "seed", "engine", "engine_version", "contract", "shapes",
        "batches", "notes", "missing_engines",
    }  # fmt: skip
    assert (read["network"], read["loss"], read["dtype"]) == ("forward", "loss", dtype)
    (batch,), (seen,) = report.batches, read["batches"]
    assert seen["sizes"] == batch.sizes
    for name, array in batch.inputs.items():
        assert _same(seen["inputs"][name], array)
    for row, found in zip(batch.forward, seen["forward"], strict=True):
        assert (found["name"], found["formula"]) == (row.name, row.formula)
        assert _same(found["engine"], row.engine)
        assert _same(found["plain"], row.plain)
    for row, found in zip(batch.gradients, seen["gradients"], strict=True):
        assert (found["name"], found["derived"], found["claimed"], found["line"]) == (
            row.name, row.derived, row.claimed, row.line,
        )  # fmt: skip
        assert _same(found["engine"], row.engine)
        assert _same(found["true"], row.true)
        assert found["hand"] is None if row.hand is None else _same(found["hand"], row.hand)
        verdict, heard = row.formula_verdict, found["formula_verdict"]
        assert (heard["kind"], heard["inherited"]) == (verdict.kind, verdict.inherited)
        assert heard["hypotheses"] == list(verdict.hypotheses)
        assert (heard["counter_example"] is None) == (verdict.counter_example is None)
        if verdict.counter_example is not None:
            assert heard["counter_example"]["index"] == list(verdict.counter_example.index)
            assert heard["counter_example"]["true"] == str(verdict.counter_example.true)
        assert found["engine_verdict"]["kind"] == row.engine_verdict.kind
        assert found["engine_verdict"]["share"] == row.engine_verdict.share


def _same(read, array):
    """Whether the numbers of a JSON text are those of an array, to the last bit."""
    return np.array_equal(np.asarray(read, dtype=array.dtype), array)


# --- a backward that does something else on numbers ---------------------------------------------


def test_formulas_that_are_not_returned_on_plain_arrays_are_undecided():
    def backward(x, z, a, y):
        dl_da = 2 * (a - y)
        return {"dl_da": dl_da.tolist() if isinstance(a, np.ndarray) else dl_da}

    report = gp.verify(forward, backward, engine="numpy")
    assert report["a"].formula_verdict.kind == "proved"
    assert report["a"].hand_verdict.kind == "undecided"
    assert report.exit_code == 3


def test_a_backward_that_fails_on_plain_arrays_is_an_error_with_its_line():
    def backward(x, z, a, y):
        if isinstance(a, np.ndarray):
            raise ValueError("not on arrays")
        return {"dl_da": 2 * (a - y)}

    with pytest.raises(gp.GradproofError, match=r"raise ValueError.*\n.*not on arrays"):
        gp.verify(forward, backward, engine="numpy")


def test_a_backward_that_returns_nothing_on_plain_arrays_is_an_error():
    def backward(x, z, a, y):
        return None if isinstance(a, np.ndarray) else {"dl_da": 2 * (a - y)}

    with pytest.raises(gp.GradproofError, match="run on plain arrays, returns NoneType"):
        gp.verify(forward, backward, engine="numpy")
