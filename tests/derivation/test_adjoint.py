"""Gradient equations, compared as trees."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.index import Index, at
from gradproof.core.term import ZERO, Add, Apply, Number, Product, Read, Sum, reads
from gradproof.derivation import derive
from gradproof.gallery import fnn
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature


def derived(forward, n=5):
    signature = read_signature(forward)
    return derive(trace(forward, None, signature, {"n": n}).forward)


def equation(derivation, name):
    symbol = derivation.gradients[name]
    return next(e for e in derivation.backward.equations if e.target == symbol)


def test_the_articles_gradients_come_back_to_front():
    assert list(derived(fnn.forward).gradients) == [
        "a2",
        "z2",
        "W2",
        "b2",
        "a1",
        "z1",
        "W1",
        "b1",
        "x",
    ]


def test_the_weights_gradient_is_input_transposed_times_the_upstream():
    found = equation(derived(fnn.forward), "W2")
    h, k, n = Index(0, 4), Index(1, 3), Index(2, "n")
    assert found.free == (h, k)
    assert found.term == Sum(
        (n,), Product((Read("∂l/∂z2", (at(n), at(k))), Read("a1", (at(n), at(h)))))
    )


def test_an_elementwise_function_multiplies_by_its_slope():
    found = equation(derived(fnn.forward), "z1")
    places = tuple(at(i) for i in found.free)
    assert found.term == Product(
        (Read("∂l/∂a1", places), Apply("sigmoid", (Read("z1", places),), 1))
    )


def test_a_value_used_twice_gets_the_sum_of_its_paths():
    def forward(x: "n 3", W: "3 3"):
        h = np.tanh(x @ W)
        r = h + h @ W
        return np.sum(r**2)

    derivation = derived(forward)
    found = equation(derivation, "h")
    assert isinstance(found.term, Add)
    assert sorted(r.tensor for r in reads(found.term)) == ["W", "∂l/∂r", "∂l/∂r"]
    assert next(s for s in derivation.steps if s.of == "W").paths == ("r", "h_1")


def test_no_gradient_inlines_another():
    def forward(x: "n 3", Ws: ["3 3"] * 6):
        a = x
        for W in Ws:
            a = gp.sigmoid(a @ W)
        return np.sum(a)

    lengths = {len(list(reads(e.term))) for e in derived(forward).backward.equations}
    assert max(lengths) <= 2


def test_what_the_loss_does_not_depend_on_is_zero_and_said_so():
    def forward(x: "n 3", W: "3 2", c: "4"):
        unused = c * 2
        return np.sum(x @ W)

    derivation = derived(forward)
    assert set(derivation.zero) == {"unused", "c"}
    assert equation(derivation, "c").term == ZERO


def test_a_broadcast_is_summed_and_a_constant_index_keeps_its_bracket():
    def forward(x: "n 3"):
        first = x[:, 0]
        return np.sum(first**2)

    found = equation(derived(forward), "x")
    assert any(type(node).__name__ == "Bracket" for node in found.term.factors)


def test_a_thousand_layers_need_no_recursion():
    def forward(x: "n 2", Ws: ["2 2"] * 1000):
        a = x
        for W in Ws:
            a = np.tanh(a @ W)
        return np.sum(a)

    assert len(derived(forward).steps) == 3001


@pytest.mark.parametrize("number", [2, 3])
def test_numbers_are_multiplied_out(number):
    def forward(x: "n 3"):
        return np.sum(x**number) / number

    found = equation(derived(forward), "x").term
    numbers = [f for f in getattr(found, "factors", ()) if isinstance(f, Number)]
    assert numbers == []
