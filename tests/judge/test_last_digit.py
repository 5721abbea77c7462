"""The order of rounding that gives a side's bits is found, and who is nearer the exact value."""

from fractions import Fraction

import flint
import numpy as np
import pytest

from gradproof.core.index import Index, at
from gradproof.core.program import Equation
from gradproof.core.term import ONE, Add, Number, Power, Product, Read, Sum
from gradproof.engines.engine import installed
from gradproof.engines.rounded import nearest
from gradproof.gallery.fnn_replay import last_digits
from gradproof.judge.forms import forms
from gradproof.judge.last_digit import last_digit, origin
from gradproof.judge.rounding import fused

I, J, K = Index(0, 32), Index(1, 64), Index(2, 8)
MINUS = Number(Fraction(-1))


def tensor(name, *axes):
    return Read(name, tuple(at(i) for i in axes))


def tanh_backward():
    square = Product((MINUS, Power(tensor("h", I, J), Fraction(2))))
    return Equation("dz", (I, J), Product((tensor("g", I, J), Add((ONE, square)))))


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_fused_step_rounds_once_as_exact_arithmetic_does():
    random = np.random.default_rng(1)
    a, b, c = (random.normal(size=3000).astype(np.float32) for _ in range(3))
    # Also sums that nearly cancel, which is where a second rounding shows.
    c[:1500] = -(a[:1500] * b[:1500])
    c[1500:2000] *= np.float32(2.0**-24)
    found = fused(a, b, c)
    flint.ctx.prec = 256
    wanted = [
        nearest(flint.arb(float(x)) * flint.arb(float(y)) + flint.arb(float(z)))
        for x, y, z in zip(a, b, c, strict=True)
    ]
    assert np.array_equal(found, np.array(wanted, dtype=np.float32))
    assert not np.array_equal(found, a * b + c)


def test_the_published_pair_is_two_orders_of_one_product_and_the_hand_is_nearer():
    found = last_digits()
    engine, hand = found.sides
    assert engine.form == "(∂l/∂a2·a2)·(1 − a2)"
    assert hand.form == "∂l/∂a2·(a2·(1 − a2))"
    assert found.nearer == "by hand"
    assert found.differing == 1
    assert found.pair.index == (0, 2)
    assert [f"{v:.8f}" for v in found.pair.values] == ["0.05851868", "0.05851869"]
    assert [round(u, 2) for u in found.pair.ulps] == [1.69, 0.69]
    assert found.pair.exact == "0.058518687975476967"


@pytest.mark.skipif(not installed()["torch"], reason="PyTorch is not installed")
def test_pytorchs_tanh_backward_fuses_one_minus_h_squared_in_every_element():
    import torch

    z = torch.tensor(draw(32, 64), requires_grad=True)
    h = torch.tanh(z)
    g = draw(32, 64, seed=1)
    h.backward(torch.tensor(g))
    operands = {"g": g, "h": h.detach().numpy()}
    plain = g * (1 - operands["h"] ** 2)
    stage = tanh_backward()
    found = last_digit(
        ("PyTorch", "by hand"),
        (stage, stage),
        (z.grad.numpy(), plain),
        (operands, operands),
        {},
    )
    framework, hand = found.sides
    assert framework.form == "g·fma(1 − h·h)"
    assert framework.nearest == framework.elements == 2048
    assert hand.form == "g·(1 − h·h)"
    assert found.nearer == "PyTorch"
    assert framework.ulps < 1.5 < hand.ulps


@pytest.mark.parametrize(
    ("text", "work"),
    [
        ("g·((1 − h)·(1 + h))", lambda g, h: g * ((1 - h) * (1 + h))),
        ("(g·(1 − h))·(1 + h)", lambda g, h: (g * (1 - h)) * (1 + h)),
        ("g − (g·h)·h", lambda g, h: g - (g * h) * h),
        ("g − g·(h·h)", lambda g, h: g - g * (h * h)),
        ("fma(g − (g·h)·h)", lambda g, h: fused(-(g * h), h, g)),
    ],
)
def test_another_formula_or_order_is_recognised_by_its_bits(text, work):
    operands = {"g": draw(32, 64), "h": np.tanh(draw(32, 64, seed=1))}
    found = origin("it", tanh_backward(), work(**operands), operands, {})
    assert found.form == text


def summed(*, rows):
    body = Product((tensor("a", I, K), tensor("b", K, J)))
    return Equation("c", (I, J), Sum((K,), body)), {
        "a": draw(32, rows),
        "b": draw(rows, 64, seed=2),
    }


def test_the_order_of_a_sum_is_recognised_by_its_bits():
    stage, operands = summed(rows=8)
    a, b = operands["a"], operands["b"]
    terms = [a[:, k, None] * b[None, k] for k in range(8)]
    for words, order in (
        (" in order", (0, 1, 2, 3, 4, 5, 6, 7)),
        (" from the end", (7, 6, 5, 4, 3, 2, 1, 0)),
    ):
        total = terms[order[0]]
        for k in order[1:]:
            total = total + terms[k]
        assert origin("it", stage, total, operands, {}).form == f"Σ[8] a·b{words}"
    chain = terms[0]
    for k in range(1, 8):
        chain = fused(
            np.broadcast_to(a[:, k, None], chain.shape),
            np.broadcast_to(b[None, k], chain.shape),
            chain,
        )
    assert origin("it", stage, chain, operands, {}).form == "Σ[8] a·b in order, each step fused"


def test_where_no_order_gives_the_bits_none_is_named():
    operands = {"g": draw(32, 64), "h": np.tanh(draw(32, 64, seed=1))}
    value = operands["g"] * (1 - operands["h"] ** 2)
    value[3, 5] = np.nextafter(np.nextafter(value[3, 5], np.float32(9)), np.float32(9))
    value[3, 6] = np.nextafter(np.nextafter(value[3, 6], np.float32(-9)), np.float32(-9))
    found = origin("it", tanh_backward(), value, operands, {})
    assert found.form == ""
    assert found.nearest == 2046


def test_every_form_is_the_formula_up_to_rounding():
    operands = {"g": draw(32, 64), "h": np.tanh(draw(32, 64, seed=1))}
    g, h = (operands[k].astype(np.float64) for k in "gh")
    exact = g * (1 - h * h)
    # Every form has at most four roundings of quantities no larger than |g|.
    permitted = 4 * 2.0**-24 * 2 * np.abs(g)
    found = list(forms(tanh_backward(), operands, {}))
    assert len(found) > 10
    for form in found:
        assert np.all(np.abs(form.value - exact) <= permitted), form.text


def test_a_scalar_stays_a_scalar():
    total = Equation("l", (), Sum((I,), tensor("v", I)))
    v = draw(32)
    value = np.float32(0)
    for x in v:
        value = value + x
    found = origin("it", total, np.asarray(value), {"v": v}, {})
    assert found.form == "Σ[32] v in order"
    assert all(form.value.shape == () for form in forms(total, {"v": v}, {}))
