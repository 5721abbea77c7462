"""Stages that are judged together are judged as each by itself."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.bench import bench_of
from gradproof.engines.ball import Ball
from gradproof.engines.contract import contract
from gradproof.engines.engine import load
from gradproof.judge import together
from gradproof.judge.generic import draw
from gradproof.judge.plan import Plan
from gradproof.judge.stage import judge_stage
from gradproof.judge.tally import from_a_ball, tallied, tallied_together
from gradproof.judge.together import Asked, judge_stages
from gradproof.trace.source import Source
from gradproof.workbench import read

ENGINE = load("numpy")


def network(x: "n 6", W: "6 5", b: "5", V: "5 4", y: "n 4, data"):
    z = x @ W + b
    a = np.maximum(z, 0)  # zeros, and values that are only chosen
    s = gp.softmax(a @ V.T.T)
    m = np.max(s, axis=1)
    return np.sum((s - y) ** 2) + np.sum(m) + 0 * np.sum(x[1:])


def smooth(x: "n 6", W: "6 5", b: "5", y: "n 5, data"):
    a = np.tanh(x @ W + b)
    return np.sum((a - y) ** 2)


def stages(dtype, change, forward=network):
    traced, sizes = read(Source("network", forward), {}, {})
    arrays = draw(traced.signature, sizes, {}, dtype, 3)
    bench = bench_of("", traced, ENGINE, dtype, sizes, arrays, {})
    found = [(e, bench.run.values[e.target]) for e in traced.paper.forward.equations]
    steps = zip(traced.derivation.steps, traced.uncollected, strict=True)
    found += [(e, bench.run.gradients[step.of]) for step, e in steps]
    return bench, [(e, change(np.array(computed))) for e, computed in found]


def scaled(by):
    return lambda computed: (computed * by).astype(computed.dtype)


def one_element(value):
    def change(computed):
        computed.reshape(-1)[-1:] = value
        return computed

    return change


CHANGES = {
    "nothing": lambda computed: computed,
    "all a little": scaled(1 + 1e-5),
    "all": scaled(1.5),
    "one to nothing": one_element(0.0),
    "one to infinity": one_element(np.inf),
    "one to no number": one_element(np.nan),
    "another shape": lambda computed: computed[None],
    "the memory's order": np.asfortranarray,
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_verdict_is_that_of_the_stage_alone(dtype, change, monkeypatch):
    bench, found = stages(dtype, change)
    permitted, operands, sizes = contract("numpy", dtype), bench.operands, bench.sizes
    asked = [Asked(e, computed, 0, Plan(e, operands, sizes)) for e, computed in found]
    alone = [
        judge_stage(e, computed, operands, sizes, permitted, None, 0, Ball(permitted))
        for e, computed in found
    ]
    for at_once in (together.TOGETHER, 30):
        monkeypatch.setattr(together, "TOGETHER", at_once)
        ball = Ball(permitted, remembers=True)
        assert repr(judge_stages(asked, operands, sizes, permitted, ball)) == repr(alone)


def test_what_agrees_is_not_judged_again(monkeypatch):
    bench, found = stages("float32", CHANGES["nothing"], smooth)
    asked = [Asked(e, c, 0, Plan(e, bench.operands, bench.sizes)) for e, c in found]
    monkeypatch.setattr(together, "judge_stage", None)
    ball = Ball(bench.contract, remembers=True)
    judge_stages(asked, bench.operands, bench.sizes, bench.contract, ball)
    wrong = replace_one(asked, -1, 1.5)
    with pytest.raises(TypeError, match="not callable"):
        judge_stages(wrong, bench.operands, bench.sizes, bench.contract, ball)


def replace_one(asked, place, factor):
    changed = list(asked)
    computed = scaled(factor)(changed[place].computed)
    changed[place] = changed[place]._replace(computed=computed)
    return changed


def test_large_tensors_are_judged_alone(monkeypatch):
    bench, found = stages("float32", CHANGES["nothing"])
    monkeypatch.setattr(together, "SMALL", 0)
    monkeypatch.setattr(together, "tallied_together", None)
    asked = [Asked(e, c, 0, Plan(e, bench.operands, bench.sizes)) for e, c in found]
    ball = Ball(bench.contract, remembers=True)
    verdicts = judge_stages(asked, bench.operands, bench.sizes, bench.contract, ball)
    assert len(verdicts) == len(found)


def test_tallies_in_one_pass_are_those_of_each():
    random = np.random.default_rng(0)
    parts = []
    for shape in ((), (1,), (3, 4), (2, 5, 3), (64,)):
        middle = random.normal(size=shape)
        computed = (middle + 1e-8 * random.normal(size=shape)).astype(np.float32)
        radius, bound = np.full(shape, 1e-12), np.abs(random.normal(size=shape)) * 1e-7
        parts.append((computed, np.asarray(middle), radius, bound))
    turned = tuple(np.asarray(part).T for part in parts[3])
    nothing = (np.zeros((2, 2), np.float32), np.zeros((2, 2)), *(np.zeros((2, 2)),) * 2)
    some = tuple(part.copy() for part in parts[2])
    some[1][0, :2] = some[0][0, :2] = 0
    unknown = (parts[2][0], parts[2][1], parts[2][2], np.full((3, 4), np.inf))
    parts += [turned, nothing, some, unknown]
    with np.errstate(all="ignore"):
        alone = [tallied(e, m, from_a_ball, r, b, 1e-3) for e, m, r, b in parts]
        assert repr(tallied_together(parts, 1e-3)) == repr(alone)


def test_a_report_has_the_same_verdicts(monkeypatch):
    said = gp.verify(network, engine="numpy").to_json()
    monkeypatch.setattr(together, "SMALL", 0)
    assert gp.verify(network, engine="numpy").to_json() == said
