"""Indexing by integers means what NumPy does, in forward and in backward."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.errors import DataError, NotYet

E = np.random.default_rng(1).normal(size=(5, 3))
IDX = np.array([4, 0, 4, 2])
G = np.random.default_rng(2).normal(size=(4, 3))


def forward(E: "5 3", idx: "n, index 5", g: "n 3, data"):
    e = E[idx]
    return np.sum(g * e)


def verified(backward, forward=forward, **inputs):
    given = {"E": E, "idx": IDX, "g": G} | inputs
    return gp.verify(forward, backward, given, engine="numpy", dtype="float64")


def test_what_an_index_picks_twice_gets_both_gradients():
    def backward(E, idx, g):
        dE = np.zeros_like(E)
        np.add.at(dE, idx, g)
        return {"dE": dE}

    row = verified(backward)["E"]
    assert row.formula_verdict.kind == "proved"
    assert row.hand == pytest.approx(row.engine)
    assert np.array_equal(row.engine[1], np.zeros(3))


def test_assigning_keeps_the_last_of_what_stands_twice_as_numpy_does():
    def backward(E, idx, g):
        dE = np.zeros_like(E)
        dE[idx] = g
        return {"dE": dE}

    report = verified(backward)
    row = report["E"]
    assert row.formula_verdict.kind == "refuted"
    assert row.hand_verdict.kind == "agrees"  # the formula that was read gives NumPy's numbers
    assert row.hand[4] == pytest.approx(G[2])
    once = verified(backward, idx=np.array([1, 0, 4, 2]))["E"]
    assert once.formula_verdict.kind != "refuted"


def test_adding_in_place_at_an_index_is_no_sum():
    def backward(E, idx, g):
        dE = 0 * E + 1
        dE[idx] += g
        dE -= 1
        return {"dE": dE}

    row = verified(backward)["E"]
    assert row.formula_verdict.kind == "refuted"
    assert row.hand_verdict.kind == "agrees"


def test_one_hot_rows_are_the_same_as_picking():
    def backward(E, idx, g):
        dE = gp.one_hot(idx, 5).T @ g
        return {"dE": dE}

    assert verified(backward)["E"].formula_verdict.kind == "proved"


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize(
    "pick",
    [
        lambda x, y, t: x[y],
        lambda x, y, t: x[:, y],
        lambda x, y, t: x[:, :, y],
        lambda x, y, t: x[t],
        lambda x, y, t: x[:, t],
        lambda x, y, t: x[y, np.arange(4)],
        lambda x, y, t: x[np.arange(4), y],
        lambda x, y, t: x[:, y, np.arange(4)],
        lambda x, y, t: x[y, y],
        lambda x, y, t: np.take(x, y, axis=1),
        lambda x, y, t: x[[2, 0, 2]],
        lambda x, y, t: gp.one_hot(y, 4)[:, None] * x[0],
        lambda x, y, t: x[np.arange(4), np.arange(4)],
    ],
    ids=range(13),
)
def test_every_engine_picks_what_numpy_picks(pick, engine):
    def network(x: "4 4 4", y: "4, index 4", t: "2 3, index 4"):
        picked = pick(x, y, t)
        return np.sum(picked**2)

    report = gp.verify(network, engine=engine, dtype="float64")
    assert report.ok
    batch = report.batches[-1]
    x, y, t = (batch.inputs[name] for name in ("x", "y", "t"))
    assert batch.forward[0].engine == pytest.approx(pick(x, y, t), rel=1e-14)


ADDS = {
    "rows": "np.add.at(h, y, v)",
    "columns": "np.add.at(h, (slice(None), y), v)",
    "rows by an array of two axes": "np.add.at(h, t, v[:2, None] * v[:3])",
    "one element in each row": "np.add.at(h, (np.arange(4), y), v[0])",
    "pairs": "np.add.at(h, (y, y[::-1]), v[:, 1])",
    "what is broadcast": "np.add.at(h, y, v[0])",
    "a number": "np.add.at(h, y, 0.5)",
    "integers that are constants": "np.add.at(h, [3, 0, 3], v[:3])",
    "on what was there": "h = h + v.T; np.add.at(h, y, v); h *= v",
    "twice": "np.add.at(h, y, v); np.add.at(h, y[::-1], h[y] * v)",
}


def adding(lines):
    space = {"np": np}
    body = "".join(f"    {line}\n" for line in lines.split("; "))
    text = f"def forward(y, t, v):\n    h = np.zeros((4, 4))\n{body}    return np.sum(v * h**2)\n"
    exec(text, space)
    return space["forward"]


SHAPES = {"y": "4, index 4", "t": "2 3, index 4", "v": "4 4"}
Y, T, V = np.array([3, 0, 3, 2]), np.array([[0, 1, 1], [3, 1, 0]]), np.diag([1.0, 2, 3, 4]) + 0.25


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("lines", ADDS.values(), ids=ADDS)
def test_every_engine_adds_where_integers_say(lines, engine):
    forward = adding(lines)
    report = gp.verify(forward, inputs=SHAPES, engine=engine, dtype="float64")
    assert report.ok
    assert {row.verdict.kind for row in report.batches[-1].forward} == {"agrees"}
    inputs = {"y": Y, "t": T, "v": V}

    def annotated(y: "4, index 4", t: "2 3, index 4", v: "4 4"):
        return forward(y, t, v)

    batch = gp.verify(annotated, None, inputs, engine=engine, dtype="float64").batches[-1]
    assert batch.forward[-1].engine == pytest.approx(float(forward(Y, T, V)), rel=1e-14)


def scattered(v: "m 3", idx: "m, index 5", g: "5 3, data"):
    h = np.zeros((5, 3))
    np.add.at(h, idx, v)
    return np.sum(g * h**2)


@pytest.mark.parametrize("engine", ["numpy", "tensorflow", "torch", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_was_added_is_read_where_it_was_added(engine, dtype):
    def backward(idx, g, h):
        dh = 2 * g * h
        return {"dh": dh, "dv": dh[idx]}

    def each_alone(v, idx, g):
        return {"dv": 2 * g[idx] * v}

    report = gp.verify(scattered, backward, engine=engine, dtype=dtype, seed=1)
    assert report.ok
    assert report["v"].formula_verdict.kind == "proved"
    wrong = gp.verify(scattered, each_alone, engine=engine, dtype=dtype, seed=1)["v"]
    assert (wrong.formula_verdict.kind, wrong.engine_verdict.kind) == ("refuted", "agrees")


def test_a_sixteen_bit_engine_may_round_after_every_addition():
    inputs = {
        "v": np.random.default_rng(3).normal(size=(60, 3)),
        "idx": np.zeros(60, dtype=np.int64),
        "g": np.ones((5, 3)),
    }
    for engine in ("torch", "jax", "tensorflow"):
        report = gp.verify(scattered, None, inputs, engine=engine, dtype="bfloat16")
        kinds = {row.verdict.kind for row in report.batches[-1].forward}
        assert kinds <= {"agrees", "undecided"}


@pytest.mark.parametrize("to", ["numpy", "torch", "jax", "tensorflow"])
def test_a_network_that_adds_at_integers_is_exported(to):
    space = {"__name__": "exported"}
    exec(gp.export(scattered, to=to), space)
    space["check"]()


def test_writing_at_integers_in_forward_is_refused_with_the_line():
    def network(v: "m 3", idx: "m, index 5"):
        h = np.zeros((5, 3))
        h[idx] = v
        return np.sum(h**2)

    for engine in ("numpy", "torch"):
        with pytest.raises(NotYet, match=r"h\[idx\] = v[\s\S]*np.add.at"):
            gp.verify(network, engine=engine)


def test_a_mask_writes_one_number():
    def network(z: "n d", g: "n d, data"):
        r = gp.relu(z)
        return np.sum(g * r)

    def backward(z, g):
        dr = 1 * g
        dz = dr.copy()
        dz[z <= 0] = 0
        return {"dz": dz}

    assert gp.verify(network, backward, engine="numpy")["z"].formula_verdict.kind == "proved"


def test_labels_that_are_compared_are_no_ties():
    def network(z: "n 3", y: "n, data"):
        mask = 1.0 * (y[:, None] == np.array([0.0, 1.0, 2.0]))
        return np.sum(mask * z)

    def backward(mask):
        dz = 5 * mask
        return {"dz": dz}

    assert gp.verify(network, backward, engine="numpy")["z"].formula_verdict.kind == "undecided"
    labels = {"y": np.array([0.0, 2.0, 2.0, 1.0])}
    report = gp.verify(network, backward, labels, engine="numpy")
    assert report["z"].formula_verdict.kind == "refuted"


def test_generic_indices_repeat():
    for seed in range(5):
        report = gp.verify(forward, engine="numpy", seed=seed)
        drawn = report.batches[-1].inputs["idx"].tolist()
        assert len(set(drawn)) < len(drawn)


@pytest.mark.parametrize(
    ("idx", "error", "said"),
    [
        (np.array([0.0, 1.0]), DataError, "names positions"),
        (np.array([0, 5]), DataError, "0 to 4"),
        (np.array([-1, 0]), DataError, "0 to 4"),
    ],
)
def test_an_index_outside_of_its_axis_is_refused(idx, error, said):
    with pytest.raises(error, match=said):
        gp.verify(forward, None, {"E": E, "idx": idx, "g": G[:2]}, engine="numpy")


def test_an_index_of_floats_and_a_slice_beside_an_index_are_refused_with_the_line():
    def sliced(x: "4 4", y: "4, index 4"):
        return np.sum(x[y, 1:3])

    with pytest.raises(NotYet, match="full slices"):
        gp.verify(sliced, engine="numpy")

    def floats(x: "4 4", y: "4, data"):
        return np.sum(x[y])

    with pytest.raises(NotYet, match="index 10"):
        gp.derive(floats)

    def masked(x: "n"):
        return np.sum(x[x > 0])

    with pytest.raises(NotYet, match="depends on data"):
        gp.derive(masked)


def test_an_index_may_be_a_part_of_another():
    def network(E: "5 3", idx: "4 2, index 5", g: "4 3, data"):
        return np.sum(g * E[idx[:, 1]])

    for engine in ("numpy", "torch"):
        assert gp.verify(network, engine=engine).ok
