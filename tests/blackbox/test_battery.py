"""The battery: what no ordinary draw shows is seen, at the smallest; right functions pass it."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.blackbox.battery import _most_likely, trials
from tests.blackbox.handwritten import MAKERS, WRITTEN


def paper(x: "n d", W: "d k", b: "k"):
    return np.tanh(x @ W + b)


def flat(a):
    return a.reshape(-1, a.shape[-1])


def layer(wrong=None):
    """A layer whose gradients are right but for what `wrong` makes of them."""

    def function(x, W, b):
        y = np.tanh(x @ W + b)

        def pullback(g):
            dz = g * (1 - y * y)
            found = {"x": dz @ W.T, "W": flat(x).T @ flat(dz), "b": flat(dz).sum(0)}
            if wrong:
                wrong(found, x=x, W=W, b=b, g=g, dz=dz)
            return tuple(found.values())

        return y, pullback

    return function


def faults(function, reference=paper, **options):
    options = {"engine": "numpy", "diagnose": False, **options}
    report = gp.check(function, reference=reference, **options)
    assert all(row.kind == "agrees" for row in report.rows), str(report)
    return report.faults


def one_row(found, x, **_):
    if x.shape[0] == 1:
        found["b"] = 0 * found["b"]


def first_block(found, x, dz, **_):
    if x.shape[0] > 16:
        found["W"] = x[:16].T @ dz[:16]


def zeros_counted_out(found, x, **_):
    found["b"] = found["b"] * np.count_nonzero(x[:1]) / max(x[:1].size, 1)


def equal_rows(found, x, **_):
    if len(x) > 1 and np.array_equal(x[1], x[-1]):
        found["W"] = 0.5 * found["W"]


def large_numbers(found, x, **_):
    if np.abs(x).max() > 50:
        found["b"] = found["b"] + np.nan


def rows_of_one_number(found, g, x, W, dz, **_):
    if g.shape[1] > 1 and np.all(g[:, :1] == g) and not np.all(g == g.flat[0]):
        found["x"] = 2 * found["x"]


@pytest.mark.parametrize(
    ("wrong", "start"),
    [
        (one_row, "With n = 1: ∂l/∂b is refuted, it is zero throughout"),
        (first_block, "With n = 17: ∂l/∂W is refuted"),  # not 33, at which it was seen
        (zeros_counted_out, "With zeros in x: ∂l/∂b is refuted"),  # not in W or b
        (equal_rows, "With equal elements in x: ∂l/∂W is refuted"),
        (large_numbers, "With x 128 times larger: ∂l/∂b is refuted, 7 of 7 elements are NaN"),
        (rows_of_one_number, "With one upstream gradient per row: ∂l/∂x is refuted"),
    ],
)
def test_a_fault_that_no_draw_shows_is_named_with_the_smallest_that_shows_it(wrong, start):
    found = faults(layer(wrong))
    assert any(fault.startswith(start) for fault in found), found


def test_the_right_layer_passes_all_of_it():
    assert faults(layer()) == ()


def test_what_overflows_where_probabilities_are_certain_is_a_fault():
    def paper(z: "n k"):
        return gp.softmax(z, axis=1)

    def softmax(z, shift):
        e = np.exp(z - shift(z))
        p = e / e.sum(1, keepdims=True)
        return p, lambda g: (p * (g - (g * p).sum(1, keepdims=True)),)

    def naive(z):
        return softmax(z, lambda z: 0)

    def careful(z):
        return softmax(z, lambda z: z.max(1, keepdims=True))

    assert faults(careful, paper) == ()
    assert any("With z 128 times larger" in fault for fault in faults(naive, paper))


def test_at_the_edge_probabilities_still_sum_to_one():
    tied = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], np.float32)
    assert np.array_equal(_most_likely(tied), [[1, 0, 0], [0, 0, 1]])


def test_repeated_integers_and_transposed_memory():
    def paper(E: "v d", idx: "n, index v"):
        return E[idx]

    def embedding(E, idx):
        def pullback(g):
            dE = np.zeros_like(E)
            np.add.at(dE, idx, g)
            if len(set(idx)) == 1:
                dE[idx[0]] = g[0]
            return (dE,)

        return E[idx], pullback

    assert any(
        fault.startswith("With the same integer throughout idx")
        for fault in faults(embedding, paper)
    )

    def in_order(found, g, x, **_):
        if not g.flags.c_contiguous and g.flags.f_contiguous and min(g.shape) > 1:
            found["b"] = 2 * found["b"]

    assert any("With a transposed upstream gradient" in f for f in faults(layer(in_order)))


def test_sizes_that_a_function_refuses_are_no_fault_and_those_it_cannot_go_back_from_are():
    def refuses(x, W, b):
        if x.shape[0] % 5:
            raise ValueError("rows come in fives")
        return layer()(x, W, b)

    assert faults(refuses) == ()

    def breaks(found, x, **_):
        if x.shape[0] == 1:
            raise IndexError("row 1")

    assert any("With n = 1: the backward pass raises" in fault for fault in faults(layer(breaks)))


def test_more_and_fewer_axes_are_noted_where_the_values_are_the_papers():
    def stale(found, x, dz, **_):
        if x.ndim > 2:
            found["b"] = dz[0].sum(0)

    report = gp.check(layer(stale), reference=paper, engine="numpy", diagnose=False)
    assert report.ok and "with one more leading axis" in report.tried
    assert "with one leading axis fewer" in report.tried
    (note,) = [one.text for one in report.observations]
    assert note.startswith("With one more leading axis: ∂l/∂b is refuted")


@pytest.mark.parametrize(
    ("engine", "dtype", "names"),
    [
        ("numpy", "float32", WRITTEN),
        ("numpy", "float64", ("linear", "lstm", "cross_entropy")),
        ("torch", "bfloat16", ("layer_norm", "swiglu", "embedding")),
        ("tensorflow", "float16", ("rms_norm", "conv")),
    ],
)
def test_right_functions_have_no_fault_in_any_trial(engine, dtype, names):
    for name in names:
        written = WRITTEN[name]
        report = gp.check(
            MAKERS[engine](written), reference=written.paper, engine=engine, dtype=dtype, seed=1
        )
        assert not report.faults and "refuted" not in report.kinds, (name, str(report))
        assert any(words.endswith(" = 1") for words in report.tried)


def test_without_size_symbols_only_the_given_numbers_are_tried():
    from gradproof.blackbox.build import build

    case = build(
        layer(),
        {},
        paper,
        dtype="float32",
        seed=0,
        engine="numpy",
        sizes={},
        upstream=None,
        wrt=None,
        accumulate=None,
        timeout=None,
    )
    words = [trial.words for trial in trials(case, case.data(0), None)]
    assert not any("larger" in word or " = " in word for word in words)
