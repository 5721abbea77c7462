"""Integers that are positions: where they may stand, and which tensors have no gradient."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import GradproofError, NetworkError, NotYet, ShapeError
from gradproof.core.program import differentiable, wholes
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature

SCALE = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize(
    "pick",
    [
        lambda x: x[-1],
        lambda x: x[[-1, 0]],
        lambda x: x[np.array([[-1, 2], [-5, 0]])],
        lambda x: x[np.arange(5), [0, -1, -2, 1, 1]],
        lambda x: np.take(x, [-1, 1], axis=1),
        lambda x: np.take(x, -1, axis=1),
    ],
    ids=range(6),
)
def test_constant_positions_may_count_from_the_end(pick, engine):
    def network(x: "5 3"):
        picked = pick(x)
        return np.sum(picked**2)

    report = gp.verify(network, engine=engine, dtype="float64")
    assert report.ok
    x = report.batches[-1].inputs["x"]
    assert report.batches[-1].forward[0].engine == pytest.approx(pick(x), rel=1e-14)


def test_the_last_row_of_an_axis_with_a_symbol_is_the_last_at_every_size():
    def network(x: "v 3"):
        return np.sum(x[-1] ** 2)

    def right(x):
        dx = 0 * x
        dx[-1] = 2 * x[-1]
        return {"dx": dx}

    def fixed(x):
        dx = 0 * x
        dx[4] = 2 * x[4]  # the last one of five rows only
        return {"dx": dx}

    assert gp.verify(network, right, engine="numpy")["x"].formula_verdict.kind == "proved"
    for size in (5, 7):
        verdict = gp.verify(network, fixed, engine="numpy", sizes={"v": size})["x"].formula_verdict
        assert (verdict.kind, verdict.scope) != ("proved", "for all sizes")


@pytest.mark.parametrize("position", [5, -6])
@pytest.mark.parametrize("several", [False, True])
def test_a_constant_outside_its_axis_is_refused_with_line_and_size(position, several):
    key = [0, position] if several else position

    def network(E: "5 3"):
        return np.sum(E[key])

    with pytest.raises(ShapeError) as caught:
        gp.verify(network, engine="numpy")
    assert f"Index {position} is outside axis 0, which has 5 positions" in str(caught.value)
    assert "E[key]" in str(caught.value)


@pytest.mark.parametrize("key", [30, [30, 1], -31])
def test_a_constant_outside_a_size_that_was_chosen_asks_for_a_larger_one(key):
    def network(E: "v 3"):
        return np.sum(E[key] ** 2)

    with pytest.raises(ShapeError) as caught:
        gp.verify(network, engine="numpy")
    assert "The size v is 5 here" in str(caught.value)
    assert "--size v=31" in str(caught.value)
    assert gp.verify(network, engine="numpy", sizes={"v": 31}).ok


def test_backward_may_not_read_outside_either():
    def network(E: "v 3"):
        return np.sum(E**2)

    def backward(E):
        dE = 2 * E
        dE[30] = 2 * E[30]
        return {"dE": dE}

    with pytest.raises(ShapeError, match="at least 31"):
        gp.verify(network, backward, engine="numpy")


@pytest.mark.parametrize(("table", "law"), [("5 3", "v"), ("5 3", "7"), ("u 3", "v")])
def test_positions_of_another_axis_are_refused_with_what_to_write(table, law):
    def network(E: table, idx: f"n, index {law}"):
        return np.sum(E[idx] ** 2)

    sizes = {"v": 9} if law == "v" else {}
    with pytest.raises(ShapeError) as caught:
        gp.verify(network, engine="numpy", sizes=sizes)
    assert f'idx is annotated "index {law}"' in str(caught.value) or "--size" in str(caught.value)
    assert "E[idx]" in str(caught.value)


def test_fewer_positions_than_an_axis_has_are_positions_along_it():
    def network(E: "7 3", idx: "n, index 5"):
        return np.sum(E[idx] ** 2)

    assert gp.verify(network, engine="numpy").ok

    def symbol(E: "v 3", idx: "n, index 11"):
        return np.sum(E[idx] ** 2)

    with pytest.raises(ShapeError, match="at least 11"):
        gp.verify(symbol, engine="numpy")
    assert gp.verify(symbol, engine="numpy", sizes={"v": 12}).ok


def test_an_index_that_is_computed_is_refused_in_its_own_words():
    def network(E: "5 3", idx: "n, index 5"):
        return np.sum(E[4 - idx])

    with pytest.raises(NotYet, match="computed"):
        gp.verify(network, engine="numpy")


# --- parts of an index ------------------------------------------------------------------------


def twice(E: "5 3", idx: "2 4, index 5", jdx: "2 4, index 5", g: "4 3, data", h: "4 3, data"):
    w = idx[0]
    e = E[w]
    return np.sum(g * e) + np.sum(h * E[jdx[0]])


def added(E, *pairs):
    dE = np.zeros_like(E)
    for idx, rows in pairs:
        np.add.at(dE, idx, rows)
    return dE


def taken_by_name(E, w, jdx, g, h):
    dE = added(E, (w, g), (jdx[0], h))
    return {"dE": dE}


def taken_from_the_whole(E, idx, jdx, g, h):
    dE = added(E, (idx[0], g), (jdx[0], h))
    return {"dE": dE}


def another_of_the_same_name(E, idx, jdx, g, h):
    w = jdx[0]
    dE = added(E, (idx[0], g), (w, h))
    return locals()


def swapped(E, w, jdx, g, h):
    dE = added(E, (jdx[0], g), (w, h))
    return {"dE": dE}


def own_for_forwards(E, idx, jdx, g, h):
    w = jdx[0]
    dE = added(E, (w, g), (jdx[0], h))
    return locals()


def own_for_forwards_by_parameter(E, w, jdx, g, h):
    w = jdx[0]
    dE = added(E, (w, g), (jdx[0], h))
    return locals()


def forwards_for_both(E, w, jdx, g, h):
    dE = added(E, (w, g), (w, h))
    return locals()


def another_row(E, w, idx, jdx, g, h):
    dE = added(E, (idx[1], g), (jdx[0], h))
    return locals()


def another_row_under_the_name(E, w, idx, jdx, g, h):
    w = idx[1]
    dE = added(E, (w, g), (jdx[0], h))
    return locals()


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize(
    "backward", [taken_by_name, taken_from_the_whole, another_of_the_same_name]
)
def test_a_named_part_of_an_index_is_that_part(backward, engine):
    report = gp.verify(twice, backward, engine=engine)
    assert report.ok
    assert report["E"].formula_verdict.kind == "proved"
    names = {row.name for row in report.batches[-1].gradients}
    assert "e" in names and not names & {"w", "idx", "jdx"}


@pytest.mark.parametrize(
    "backward",
    [
        swapped,
        own_for_forwards,
        own_for_forwards_by_parameter,
        forwards_for_both,
        another_row,
        another_row_under_the_name,
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_another_index_under_the_same_name_is_never_proved(backward, seed):
    report = gp.verify(twice, backward, engine="numpy", seed=seed)
    assert report["E"].formula_verdict.kind == "refuted"


def test_one_index_reshaped_or_read_from_its_end_is_no_tensor_with_a_gradient():
    def network(E: "5 3", idx: "2 4, index 5"):
        flat = idx.reshape(8)
        last = idx[-1]
        return np.sum(E[flat] ** 2) + np.sum(E[last] ** 3)

    assert gp.verify(network, engine="numpy").ok
    program = trace(network, None, read_signature(network), {}).forward
    assert wholes(program) == {"idx", "flat", "last"}
    assert "E" in differentiable(program)
    assert not differentiable(program) & {"idx", "flat", "last"}


# --- claims about what has no gradient --------------------------------------------------------


def scaled(E: "5 3", idx: "2 4, index 5", g: "4 3, data"):
    w = idx[0]
    e = E[w]
    return np.sum(SCALE * g * e)


def of_an_index(E, idx, g):
    didx = 0 * g[:2]
    return {"didx": didx}


def of_an_index_as_an_array(E, idx, g):
    return {"didx": np.zeros((2, 4)), "de": SCALE * g}


def of_a_part(E, w, g):
    dw = 0 * g[:, 0]
    return {"dw": dw}


def of_data(E, w, g):
    dg = 0 * g
    return {"dg": dg}


def of_a_plain_array(E, w, g):
    dSCALE = g.sum(axis=0)
    return {"dSCALE": dSCALE}


@pytest.mark.parametrize(
    ("backward", "said"),
    [
        (of_an_index, "didx claims the gradient of idx, whose elements are positions"),
        (of_an_index_as_an_array, "didx claims the gradient of idx, whose elements are positions"),
        (of_a_part, "dw claims the gradient of w, whose elements are positions"),
        (of_data, 'Drop ", data" from the annotation of g'),
        (of_a_plain_array, "Make SCALE a parameter of forward"),
    ],
)
def test_a_claim_about_what_has_no_gradient_is_refused(backward, said):
    with pytest.raises(NetworkError, match=said) as caught:
        gp.verify(scaled, backward, engine="numpy")
    assert isinstance(caught.value, GradproofError)
    if backward is not of_an_index_as_an_array:
        assert "test_positions.py" in str(caught.value)
