"""Right hand-written functions are never refuted; wrong ones are, where they are wrong."""

import pytest

import gradproof as gp
from gradproof.engines.contract import CONTRACTS
from tests.blackbox.handwritten import MAKERS, WRITTEN, in_torch


# JAX compiles for every shape; benchmarks/black_boxes.py has its other dtypes too.
@pytest.mark.parametrize(
    ("engine", "dtype"),
    [c for c in CONTRACTS if c[0] != "jax" or c[1] in ("float32", "bfloat16")],
)
def test_right_functions_are_not_refuted_in_any_dtype(engine, dtype):
    for name, written in WRITTEN.items():
        function = MAKERS[engine](written)
        for seed in (0, 1) if engine != "jax" else (0,):
            report = gp.check(
                function,
                reference=written.paper,
                engine=engine,
                dtype=dtype,
                seed=seed,
                battery=seed == 0 and engine != "jax",
            )
            assert "refuted" not in report.kinds and not report.faults, (name, str(report))
            # Of attention and an LSTM's cell bfloat16 says too little: their errors add up.
            hidden = dtype == "bfloat16" and name in ("attention", "lstm")
            assert report.ok or hidden, (name, str(report))


@pytest.mark.parametrize("name", WRITTEN)
def test_wrong_functions_are_refuted_where_they_are_wrong_and_only_there(name):
    written = WRITTEN[name]
    assert len(written.wrong) >= 6
    for mistake, reached in written.wrong.items():
        report = gp.check(
            in_torch(written, mistake),
            reference=written.paper,
            dtype="float32",
            draws=2,
            battery=False,
            diagnose=False,
        )
        refuted = {row.name for row in report.rows if row.kind == "refuted"}
        agreeing = {row.name for row in report.rows if row.kind == "agrees"}
        assert refuted == set(reached), (mistake, str(report))
        assert agreeing == {row.name for row in report.rows} - refuted, (mistake, str(report))


@pytest.mark.parametrize(
    ("engine", "dtype"), [("torch", "bfloat16"), ("jax", "float16"), ("tensorflow", "bfloat16")]
)
def test_sixteen_bits_hide_no_mistake_of_a_function_that_also_takes_float64(engine, dtype):
    for name in ("rms_norm", "lstm"):
        written = WRITTEN[name]
        for mistake, reached in written.wrong.items():
            report = gp.check(
                MAKERS[engine](written, mistake),
                reference=written.paper,
                engine=engine,
                dtype=dtype,
                draws=1,
                battery=False,
                diagnose=False,
            )
            refuted = {row.name for row in report.rows if row.kind == "refuted"}
            assert refuted == set(reached), (mistake, str(report))


NAMED = {
    ("linear", "the bias' mean"): ("b", "The mean over the n terms stands where the sum over them"),
    ("linear", "half"): ("W", "It is ½ of the gradient: a factor 2 is missing."),
    ("layer_norm", "a sum for a mean"): ("x", "The constant factor 1/d is missing."),
    ("cross_entropy", "1/k for 1/n"): ("z", "It is 5/3 times the gradient."),
    ("attention", "softmax elementwise"): (
        "Q",
        "It builds on a wrong ∂l/∂P_1: Softmax was differentiated as if it acted on each element "
        "alone",
    ),
    ("lstm", "tanh of the cell forgotten"): (
        "W",
        "It builds on a wrong ∂l/∂new: The derivative tanh′(new) is missing.",
    ),
    ("embedding", "assigned"): ("E", "only the last is left; it must be added up"),
}


@pytest.mark.parametrize(("name", "mistake"), NAMED)
def test_a_known_mistake_is_named_wherever_it_was_made(name, mistake):
    written = WRITTEN[name]
    of, words = NAMED[name, mistake]
    report = gp.check(
        MAKERS["numpy"](written, mistake), reference=written.paper, engine="numpy", battery=False
    )
    assert any(words in line for line in report[of].why), report[of].why
    assert all(not row.why for row in report.rows if row.kind == "agrees")
