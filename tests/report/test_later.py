"""A report's rows are written when they are looked at, and say then what they would have said."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import gradproof as gp
from gradproof import judged, workbench

SCALE = np.array([1.0, 2.0, 0.5], dtype=np.float32)


def network(x: "4 3", W: "3 2", y: "4 2, data"):
    a = np.tanh((SCALE * x) @ W)
    return np.sum((a - y) ** 2)


def half(x, W, y, a):
    dl_da = a - y
    return {"dl_da": dl_da}


def verified(backward=None, **options):
    return gp.verify(network, backward, engine="numpy", seed=3, **options)


def test_verdicts_write_nothing(monkeypatch):
    monkeypatch.setattr(workbench, "rows_of", None)
    report = verified(half)
    assert (report.ok, report.exit_code) == (False, 1)
    assert "refuted" in report.kinds and "refuted" in repr(report)
    with pytest.raises(AssertionError, match="∂l/∂a is refuted"):
        report.raise_if_refuted()


def test_verdicts_are_the_same_before_and_after():
    report, refuted = verified(), verified(half)
    before = (report.kinds, refuted.kinds)
    assert report.batches and refuted.batches
    assert (report.kinds, refuted.kinds) == before
    assert refuted["a"].why  # the mistake is named


def test_what_is_written_later_is_what_was_checked():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    W = np.ones((3, 2), dtype=np.float32)
    at_once = verified(inputs={"x": x, "W": W}).to_json()
    scale, later = SCALE.copy(), verified(inputs={"x": x, "W": W})
    try:
        x[:], W[:], SCALE[:] = 7, 7, 7
        assert later.to_json() == at_once
    finally:
        SCALE[:] = scale


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_what_a_network_kept_of_its_run_has_no_part_in_it(engine):
    kept = []

    def keeping(x: "4 3", W: "3 2", y: "4 2, data"):
        z = x @ W
        kept.extend((z, W))
        return np.sum((np.tanh(z) - y) ** 2)

    def checked():
        return gp.verify(keeping, engine=engine, seed=3)

    at_once, later = checked().to_json(), checked()
    for face in kept:
        native = getattr(face, "native", None)  # the tracer's have none
        array = getattr(native, "_value", native)
        if isinstance(array, np.ndarray):
            array[...] = 0
        elif array is not None:
            array.detach().zero_()
    assert later.to_json() == at_once


def test_rows_are_written_once(monkeypatch):
    calls = []
    own = judged.rows_of
    monkeypatch.setattr(workbench, "rows_of", lambda found: calls.append(1) or own(found))
    report = verified()
    assert not calls
    assert report["W"].engine_verdict.digits > 4 and report.shapes and report.to_json()
    assert len(calls) == 1


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_a_copy_has_all_that_was_not_written_yet(copied):
    again = copied(verified(half))
    assert again.to_json() == verified(half).to_json()
    assert again.kinds == verified(half).kinds


def test_several_threads_may_look_at_once():
    report = verified()
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda name: report[name].derived, ["W", "x", "a", "W"]))
    assert rows == [verified()[name].derived for name in ("W", "x", "a", "W")]


def test_an_unknown_attribute_is_an_error_that_writes_nothing(monkeypatch):
    monkeypatch.setattr(workbench, "rows_of", None)
    with pytest.raises(AttributeError, match="nothing"):
        _ = verified().nothing
