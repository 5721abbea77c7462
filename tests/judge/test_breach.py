"""The installed engines keep their contracts; one that does not is named, and not the formula."""

import numpy as np
import pytest

import gradproof as gp
import gradproof.engines.numpy as room
from gradproof.engines.contract import CONTRACTS
from gradproof.engines.engine import load
from gradproof.judge.breach import FUNCTIONS, breach


def arguments(function, dtype):
    """Every 16-bit number would take a second: a sample of them, and of the others."""
    random = np.random.default_rng(0)
    wide = np.exp2(random.uniform(-14, 6, 4000)) * random.choice([-1, 1], 4000)
    x = np.concatenate([wide, random.uniform(-10, 10, 4000)])
    return np.abs(x) if function in ("log", "sqrt") else x


@pytest.mark.parametrize(("engine", "dtype"), CONTRACTS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_this_build_keeps_its_contract(engine, dtype, function):
    permitted = CONTRACTS[engine, dtype]
    found = breach(function, arguments(function, dtype), load(engine), permitted)
    assert found is None, (
        f"This build breaks its contract, which is no mistake of a formula: {engine}'s {function} "
        f"in {dtype} is {found.units:.3g} u off at {found.argument!r}; "
        f"{found.permitted} u are permitted.  Try python benchmarks/measure_contracts.py"
    )


def forward(x: "n 3", W: "3 4", y: "n 4, data"):
    z = x @ W
    a = np.tanh(z)
    return 0.5 * np.sum((a - y) ** 2)


def test_a_build_that_breaks_its_contract_is_named_and_not_the_formula(monkeypatch):
    coarse = np.float32(1 + 40 * 2.0**-24)
    functions = {**room.TRACED.functions, "tanh": lambda x: room.anp.tanh(x) * coarse}
    monkeypatch.setattr(room, "TRACED", room.Arithmetic(functions, *_rest(room.TRACED)))
    report = gp.verify(forward, engine="numpy")
    verdict = next(row.verdict for row in report.batches[0].forward if row.name == "a")
    assert verdict.kind == "refuted"
    assert verdict.because.startswith("NumPy breaks its contract: its tanh alone is ")
    assert report["W"].formula_verdict.kind == "derived"


def _rest(arithmetic):
    return arithmetic.tensor, arithmetic.cast, arithmetic.array


def test_a_refuted_stage_without_a_breach_says_nothing_of_one(monkeypatch):
    functions = {**room.TRACED.functions, "matmul": lambda a, b: room.anp.matmul(a, b) * 1.001}
    monkeypatch.setattr(room, "TRACED", room.Arithmetic(functions, *_rest(room.TRACED)))
    report = gp.verify(forward, engine="numpy")
    verdict = next(row.verdict for row in report.batches[0].forward if row.name == "z")
    assert verdict.kind == "refuted"
    assert "contract permits for this stage" in verdict.because
