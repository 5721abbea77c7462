"""The user's functions become programs under the user's own names."""

from fractions import Fraction

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import (
    DataError,
    NetworkError,
    Never,
    NotYet,
    ShapeError,
    UnknownName,
)
from gradproof.core.program import Named, Paper
from gradproof.core.term import Number, Power, reads, walk
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature


def traced(forward, backward=None, inputs=None, n=5) -> Paper:
    signature = read_signature(forward, inputs)
    return trace(forward, backward, signature, {"n": n, "d": 3, "k": 4})


def names(paper: Paper) -> list[str]:
    return [equation.target for equation in paper.forward.equations]


def affine_loss(x: "n 3", W: "3 2"):
    z = x @ W
    return np.sum(z**2)


def test_names_are_those_of_the_local_variables():
    def forward(x: "n 3", W: "3 2"):
        z = x @ W
        p, q = np.tanh(z), np.exp(z)
        s = p * q
        return np.sum(s)

    assert names(traced(forward)) == ["z", "p", "q", "s", "loss"]


def test_an_augmented_assignment_is_one_value():
    def forward(x: "n 3", W: "3 2", b: "2"):
        z = x @ W
        z += b
        return np.sum(z**2)

    assert names(traced(forward)) == ["z", "loss"]


def test_a_loop_over_a_list_of_weights_numbers_its_values():
    def forward(x: "n 3", Ws: ["3 4", "4 2"]):
        a = x
        for W in Ws:
            a = np.tanh(a @ W)
        return np.sum(a)

    assert names(traced(forward)) == ["a_1[1]", "a[1]", "a_1[2]", "a[2]", "loss"]


def test_a_helper_function_of_the_user_does_not_hide_the_outer_name():
    def layer(v, W):
        out = np.tanh(v @ W)
        return out

    def forward(x: "n 3", W: "3 2"):
        h = layer(x, W)
        return np.sum(h)

    assert names(traced(forward)) == ["h_1", "h", "loss"]


def test_a_lambda_gets_invented_names_and_a_note_that_says_so():
    paper = traced(lambda x, W: np.sum(np.tanh(x @ W)), inputs={"x": "n 3", "W": "3 2"})
    assert names(paper) == ["loss_1", "loss"]
    assert paper.notes


def test_code_without_source_keeps_its_names():
    space = {"np": np}
    exec(
        'def forward(x: "n 3", W: "3 2"):\n    z = x @ W\n    a = np.tanh(z)\n'
        "    return np.sum(a)\n",
        space,
    )
    assert names(traced(space["forward"])) == ["z", "a", "loss"]


def test_tracing_works_while_a_debugger_traces():
    import sys

    before = sys.gettrace()
    sys.settrace(lambda *event: None)
    try:
        assert names(traced(affine_loss)) == ["z", "loss"]
    finally:
        sys.settrace(before)


def test_a_mean_divides_by_the_size_symbol_and_not_by_its_number():
    def forward(x: "n 3"):
        return np.mean(x**2)

    five, seven = traced(forward, n=5), traced(forward, n=7)
    assert five.forward == seven.forward


def test_a_size_asked_for_stays_a_symbol():
    def forward(x: "n 3"):
        return np.sum(x**2) / (2 * x.shape[0])

    assert traced(forward, n=5).forward == traced(forward, n=7).forward


def test_claims_are_found_under_every_spelling():
    def backward(x, W, z):
        dl_dz = 2 * z
        dW = x.T @ dl_dz
        grad_x = dl_dz @ W.T
        return locals()

    paper = traced(affine_loss, backward)
    assert {(c.of, c.name) for c in paper.claims} == {
        ("z", "dl_dz"),
        ("W", "dW"),
        ("x", "grad_x"),
    }


# --- errors: each names the line ----------------------------------------------------------------


def test_shapes_that_do_not_meet():
    def forward(x: "n 2", W: "4 2"):
        h = x @ W
        return np.sum(h)

    with pytest.raises(ShapeError, match=r"h = x @ W\n.*n×2 and the right is 4×2.*\.T"):
        traced(forward)


def test_broadcasting_different_symbols_is_refused():
    def forward(x: "n 2", v: "d 2"):
        return np.sum(x + v)

    with pytest.raises(ShapeError, match="n×2 and d×2 do not meet"):
        traced(forward)


def test_a_claim_for_an_unknown_name():
    def backward(x, z):
        dl_dq = 2 * z
        return locals()

    with pytest.raises(UnknownName, match=r"dl_dq = 2 \* z\n.*dl_dq claims"):
        traced(affine_loss, backward)


def test_a_claim_of_the_wrong_shape_is_never_broadcast():
    def forward(x: "n 3", b: "3"):
        z = x + b
        return np.sum(z**2)

    def backward(z):
        dl_db = (2 * z).sum(axis=0, keepdims=True)
        return locals()

    with pytest.raises(ShapeError, match=r"dl_db is 1×3, but b is \(3,\).*without keepdims"):
        traced(forward, backward)


def test_backward_asks_for_an_unknown_name():
    def backward(q):
        return {"dl_dz": q}

    with pytest.raises(UnknownName, match="backward asks for q"):
        traced(affine_loss, backward)


def test_backward_that_returns_nothing():
    def backward(z):
        dl_dz = 2 * z

    with pytest.raises(NetworkError, match=r"return locals\(\)"):
        traced(affine_loss, backward)


def test_a_branch_on_data():
    def forward(x: "n 3"):
        if np.sum(x) > 0:
            return np.sum(x)
        return -np.sum(x)

    with pytest.raises(Never, match=r"if np.sum\(x\) > 0:\nA branch on data"):
        traced(forward)


def test_writing_into_an_input():
    def forward(x: "n 3"):
        x[0] = 0
        return np.sum(x)

    with pytest.raises(Never, match=r"x\[0\] = 0\nThis writes into x, which was given"):
        traced(forward)


def test_an_unknown_numpy_function():
    def forward(x: "n 3"):
        return np.sum(np.fft.fft(x))

    with pytest.raises(NotYet, match=r"np\.fft\.fft is not"):
        traced(forward)


def test_a_loss_that_is_not_a_scalar():
    def forward(x: "n 3"):
        z = x * 2
        return z

    with pytest.raises(ShapeError, match=r"z = x \* 2\nThe loss has the shape n×3"):
        traced(forward)


def test_a_parameter_without_a_shape():
    def forward(x, W: "3 2"):
        return np.sum(x @ W)

    with pytest.raises(NetworkError, match="x has neither a shape nor an input"):
        traced(forward)


def test_a_surplus_input():
    with pytest.raises(DataError, match="no parameter q; it takes x, W"):
        read_signature(affine_loss, {"q": "3"})


def test_gradproof_functions_work_on_plain_arrays():
    x = np.array([-1000.0, 0.0, 2.0], dtype=np.float32)
    assert gp.sigmoid(x).dtype == np.float32
    assert gp.sigmoid(x)[0] == 0
    assert gp.sigmoid.derivative(x)[1] == np.float32(0.25)


# --- where the function may live ------------------------------------------------------------------


def test_jaxtyping_annotations_are_read():
    jaxtyping = pytest.importorskip("jaxtyping", reason="jaxtyping is a test extra")
    Float = jaxtyping.Float

    def forward(x: Float[np.ndarray, "n 3"], W: Float[np.ndarray, "3 2"]):
        z = x @ W
        return np.sum(z**2)

    mine, other = traced(forward).forward, traced(affine_loss_again).forward
    assert mine.inputs == other.inputs
    assert [e.term for e in mine.equations] == [e.term for e in other.equations]


def affine_loss_again(x: "n 3", W: "3 2"):
    z = x @ W
    return np.sum(z**2)


def test_quoted_annotations_are_unquoted():
    space = {"np": np}
    exec(
        compile(
            "from __future__ import annotations\n"
            'def forward(x: "n 3", Ws: ["3 2", "2 2"]):\n'
            "    a = x\n"
            "    for W in Ws:\n        a = a @ W\n"
            "    return np.sum(a)\n",
            "<cell>",
            "exec",
        ),
        space,
    )
    assert names(traced(space["forward"])) == ["a[1]", "a[2]", "loss"]


def test_a_notebook_cell_is_traced_under_its_own_names():
    interactive = pytest.importorskip(
        "IPython.core.interactiveshell", reason="IPython is a test extra"
    )
    shell = interactive.InteractiveShell.instance()
    result = shell.run_cell(
        "import numpy as np\n"
        "def forward(x: 'n 3', W: '3 2'):\n    z = x @ W\n    a = np.tanh(z)\n"
        "    return np.sum(a)\n"
    )
    assert result.success
    assert names(traced(shell.user_ns["forward"])) == ["z", "a", "loss"]


def test_tracing_works_under_coverage():
    coverage = pytest.importorskip("coverage", reason="coverage is a test extra")
    measured = coverage.Coverage(data_file=None)
    measured.start()
    try:
        found = names(traced(affine_loss_again))
    finally:
        measured.stop()
    assert found == ["z", "loss"]


def test_a_loop_over_the_number_of_a_size_is_said_to_hold_for_it_alone():
    def forward(x: "n 3"):
        h = x[0]
        for t in range(1, x.shape[0]):
            h = np.tanh(h + x[t])
        return np.sum(h)

    report = gp.verify(forward, engine="numpy")
    assert report.ok
    assert any("holds for n = 5" in note for note in report.notes)


def test_a_local_of_backward_may_have_the_name_of_a_value():
    def backward(x, W, z):
        dz = 2 * z
        z = dz * 1
        dW = x.T @ z
        return locals()

    paper = traced(affine_loss_again, backward)
    assert {c.of for c in paper.claims} == {"z", "W"}


WEIGHTS = np.array([1.0, 2.0, 3.0])


def test_a_plain_array_has_one_name_wherever_it_is_used():
    def forward(x: "5 3"):
        z = x * WEIGHTS
        return np.sum(z * WEIGHTS)

    def backward(x):
        dl_dx = (x * 0 + WEIGHTS) * WEIGHTS
        return {"dl_dx": dl_dx}

    paper = traced(forward, backward)
    assert list(paper.constants) == ["WEIGHTS"]
    assert gp.verify(forward, backward, engine="numpy").ok


# --- truth values, constants and updates in place -----------------------------------------------


def test_a_sum_of_comparisons_is_refused_because_numpy_ors_them():
    def forward(x: "n 3"):
        return np.sum(((x > 0) + (x < 1)) * x)

    with pytest.raises(NotYet, match="truth values"):
        traced(forward)


def test_comparisons_made_numbers_are_added():
    def forward(x: "n 3"):
        return np.sum((1.0 * (x > 0) + (x < 1)) * x)

    assert names(traced(forward)) == ["loss"]


def test_a_condition_that_is_no_comparison_is_refused():
    def forward(x: "n 3", mask: "n 3, data"):
        return np.sum(np.where(mask, x, 2 * x))

    with pytest.raises(NotYet, match=r"condition of np\.where"):
        traced(forward)


@pytest.mark.parametrize("number", [np.inf, float("nan"), np.array([1.0, np.inf, 2.0]), 10**400])
def test_a_number_that_is_not_finite_is_refused_with_its_line(number):
    def forward(x: "n 3"):
        return np.sum(x * number)

    with pytest.raises(DataError, match=r"test_paper.py:\d+  return np.sum"):
        traced(forward)


def test_an_array_is_read_as_it_was_when_it_was_used():
    def forward(x: "n 3"):
        scale = np.full(3, 2.0)
        z = x * scale
        scale *= 5
        return np.sum(z)

    (scale,) = traced(forward).constants.values()
    assert np.array_equal(scale, np.full(3, 2.0))


def test_an_update_in_place_of_an_input_names_the_input():
    def forward(x: "n 3", W: "3 2"):
        W -= 0.1 * W
        return np.sum(x @ W)

    with pytest.raises(Never, match=r"W -= 0.1 \* W\n.*writes into W"):
        traced(forward)


# --- which tensor a claim is --------------------------------------------------------------------


def two_layers(x: "n 3", Ws: ["3 4", "4 2"]):
    h = x @ Ws[0]
    o = h @ Ws[1]
    return np.sum(o)


def test_a_list_of_claims_is_not_confused_with_numbered_values():
    """Two values called dWs are dWs[1] and dWs[2], and so are the claims in a list dWs."""

    def backward(x, Ws, h):
        dWs = x.T @ (h * 0 + 1)
        first = dWs * 2
        dWs = h.T @ (h @ Ws[1] * 0 + 1)
        second = dWs * 3
        dWs = [first, second]
        return locals()

    paper = traced(two_layers, backward)
    terms = {e.target: e for e in paper.backward.equations}
    claimed = [reads_of(terms[claim.name]) for claim in paper.claims]
    assert claimed == [{"first"}, {"second"}]


def reads_of(equation) -> set[str]:
    return {read.tensor for read in reads(equation.term)}


def test_a_value_of_forward_is_no_claim_although_it_is_called_dx():
    def forward(x: "n 3"):
        dx = x - x.mean(axis=0)
        z = dx**2
        return np.sum(z)

    def backward(dx, z):
        dl_dz = z * 0 + 1
        dl_ddx = 2 * dx
        return locals()

    assert {claim.of for claim in traced(forward, backward).claims} == {"z", "dx"}


def test_two_claims_for_one_tensor_are_an_error():
    def backward(x, z):
        dl_dz = 2 * z
        dz = z
        return locals()

    with pytest.raises(NetworkError, match="dl_dz and dz both claim"):
        traced(affine_loss, backward)


def test_an_update_in_place_reaches_every_name_of_the_tensor():
    def backward(x, z):
        dl_dz = z + z
        g = dl_dz
        g *= 3
        return locals()

    paper = traced(affine_loss, backward)
    (claim,) = paper.claims
    claimed = next(e for e in paper.backward.equations if e.target == claim.name)
    assert any(isinstance(n, Number) and n.value == 3 for n in walk(claimed.term))


def test_a_parameter_of_backward_is_what_its_name_means_at_the_end_of_forward():
    def forward(x: "n 3", W: "3 2"):
        a = x @ W
        h = np.tanh(a)
        c = h * 2
        a = h
        return np.sum(a * c)

    def backward(a):
        dl_dc = a
        return locals()

    assert traced(forward, backward).parameters == {"a": Named("h")}


def test_the_root_of_a_size_that_is_a_number_is_that_root_and_no_float():
    def forward(x: "n 3"):
        return np.sum(x) / np.sqrt(x.shape[1])

    (loss,) = traced(forward).forward.equations
    assert Power(Number(Fraction(3)), Fraction(1, 2)) in list(walk(loss.term))
