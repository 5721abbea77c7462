"""Several data enclosed at once are enclosed as each of them alone."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.blackbox.battery import trials
from gradproof.blackbox.build import build
from tests.blackbox.handwritten import MAKERS, WRITTEN

NOTHING_ELSE = {"upstream": None, "wrt": None, "accumulate": None, "timeout": None}


def case_of(name, dtype):
    written = WRITTEN[name]
    given = {"dtype": dtype, "seed": 1, "engine": "numpy", "sizes": {}, **NOTHING_ELSE}
    return build(MAKERS["numpy"](written), {}, written.paper, **given)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", WRITTEN)
def test_each_of_several_data_has_the_enclosure_that_it_has_alone(name, dtype):
    case = case_of(name, dtype)
    first = case.data(0)
    others = [t.data for t in trials(case, first, lambda _: case) if t.data is not first]
    several = [first, case.data(1), *others]
    together = case.reference.enclosures(several, case.contract)
    for data, found in zip(several, together, strict=True):
        alone = case.reference.enclosure(data, case.contract)
        assert found.keys() == alone.keys()
        for tensor, value in alone.items():
            (m, r, e), (m2, r2, e2) = (
                [np.broadcast_to(part, value[0].shape) for part in one]
                for one in (value, found[tensor])
            )
            known = np.isfinite(e)
            assert np.array_equal(known, np.isfinite(e2))
            assert np.all(np.abs(m - m2)[known] <= (r + r2)[known])
            assert np.allclose(e[known], e2[known], rtol=1e-9, atol=0)
            assert np.all(r2[known] <= np.maximum(4 * r, 2.0**-9 * e)[known])


def test_what_does_not_differ_is_not_repeated():
    case = case_of("linear", "float32")
    first, second = case.data(0), case.data(1)
    same = type(first)(first.inputs, second.upstream)
    one, other = case.reference.enclosures([first, same], case.contract)
    assert one["y[0]"][0] is other["y[0]"][0]
    assert not np.array_equal(one["W"][0], other["W"][0])


def test_a_size_symbol_may_have_any_name():
    def trials_by_d(x: "trials d", points: "points d"):
        return np.tanh(x) * np.sum(points)

    def function(x, points):
        y, total = np.tanh(x), np.sum(points)

        def pullback(g):
            return g * total * (1 - y * y), np.full_like(points, np.sum(g * y))

        return y * total, pullback

    data = tuple(np.linspace(-1, 2, 2 * n).reshape(n, 2) for n in (5, 7))
    report = gp.check(function, data, reference=trials_by_d, engine="numpy", dtype="float64")
    assert report.ok and not report.faults and len(report.tried) > 8
