"""Every line of every derivation's steps is proved, and a planted mistake is not."""

from dataclasses import replace
from pathlib import Path

import pytest

from gradproof.core.index import Index, at
from gradproof.core.normal import negate
from gradproof.core.program import Equation
from gradproof.core.term import Read, substitute
from gradproof.derivation import differential
from gradproof.derivation.routes import routes
from gradproof.gallery.catalogue import find, names
from gradproof.ink.terminal import text
from gradproof.judge.equations import compared
from gradproof.judge.steps import Bench, judge
from gradproof.prims.formula import Formula, call
from gradproof.workbench import read
from gradproof.write import pairing, rolled
from gradproof.write.convention import Convention
from gradproof.write.notation import Chain, Equality, Symbol, Transposed
from gradproof.write.orient import oriented
from gradproof.write.pairing import lay_out
from gradproof.write.pictures import pictures
from gradproof.write.ways import sections, sections_page

LAYOUTS = [("row", "matrix"), ("column", "matrix"), ("row", "index")]


def judged(
    network,
    vectors="row",
    style="matrix",
    gradients="gradient",
    full=True,
    seed=b"steps",
    lying=True,
):
    """Each line of a network's steps as text, with how it was proved."""
    derivation = read(find(str(network)), {}, {})[0].derivation
    upright = pictures(derivation) if gradients == "jacobian" and lying else frozenset()
    chosen = Convention(vectors, gradients=gradients, upright=upright)
    convention = replace(oriented(derivation, chosen), style=style)
    page = sections_page(derivation, convention, {})
    found = routes(derivation)
    bench = Bench(derivation, found, page.shapes, seed)
    for section in sections(derivation, found, page, full=full):
        steps = lay_out(section, page)
        verdict = judge(steps, bench)
        lines = [line for passage in steps.passages for line in passage.lines]
        assert len(verdict.all()) == len([*lines, *steps.closing])
        for line, sure in zip([*lines, *steps.closing], verdict.all(), strict=True):
            yield text(line.equality), sure


def unproved(network, **layout):
    return [line for line, sure in judged(network, **layout) if sure is None]


@pytest.mark.parametrize("network", names())
def test_every_line_of_the_gallery_is_proved(network):
    for vectors, style in LAYOUTS:
        assert unproved(network, vectors=vectors, style=style) == []


@pytest.mark.parametrize("vectors", ["row", "column"])
@pytest.mark.parametrize(
    "network",
    ["fnn", "rnn", "cnn", "attention", "multi_head_attention", "batch_norm", "linear_solve"],
)
def test_every_line_is_proved_where_gradients_lie_as_jacobians(network, vectors):
    assert unproved(network, vectors=vectors, gradients="jacobian") == []


def test_every_line_is_proved_where_pictures_lie_on_their_side():
    assert unproved("conv2d", gradients="jacobian", lying=False) == []


GOLDEN = Path(__file__).parent.parent / "golden" / "papers"


@pytest.mark.parametrize("paper", sorted(path.stem for path in GOLDEN.glob("*.py")))
def test_every_line_of_the_golden_papers_is_proved(paper):
    for vectors, style in LAYOUTS:
        assert unproved(GOLDEN / f"{paper}.py", vectors=vectors, style=style) == []


def test_windows_are_proved_element_by_element_and_ties_at_random_points():
    methods = {sure.method for _, sure in judged("conv2d")}
    assert methods == {"given", "normal form", "element by element"}
    assert "points" in {sure.method for _, sure in judged("max_pool")}


@pytest.mark.parametrize("name", ["left", "right", "line"])
def test_a_tensor_may_have_any_name_at_random_points(name):
    index = Index(0, "n")
    x = Formula(Read(name, (at(index),)))
    one = Equation("y", (index,), call("tanh", x).term)
    other = Equation("y", (index,), (2 * call("sigmoid", 2 * x) - 1).term)
    assert compared(one, other, {name: ("n",)}, None).method == "points"
    other = Equation("y", (index,), (2 * call("sigmoid", x) - 1).term)
    assert compared(one, other, {name: ("n",)}, None) is None


def without_the_last_factor(pusher, factors):
    moved = [(n, pusher.of(factor)) for n, factor in enumerate(factors[:-1])]
    return differential.add(
        *(differential.product(*factors[:n], one, *factors[n + 1 :]) for n, one in moved)
    )


def with_the_wrong_sign(rule):
    return lambda pusher, *terms: negate(rule(pusher, *terms))


def without_the_mean(pusher, term):
    """A softmax as if its sum did not move."""
    moved = substitute(pusher.of(term.body), {term.over: term.position})
    return differential.product(pusher._output(term, term), moved)


@pytest.mark.parametrize(
    ("network", "rule", "mistake"),
    [
        ("fnn", "_product", without_the_last_factor),
        ("fnn", "_apply", with_the_wrong_sign(differential._Pusher._apply)),
        ("softmax_regression", "_softmax", with_the_wrong_sign(differential._Pusher._softmax)),
        ("attention", "_softmax", without_the_mean),
        ("max_pool", "_fold", with_the_wrong_sign(differential._Pusher._fold)),
        ("rnn", "_product", without_the_last_factor),
    ],
)
def test_a_mistake_in_forward_mode_is_seen(network, rule, mistake, monkeypatch):
    monkeypatch.setattr(differential._Pusher, rule, mistake)
    lines = unproved(network)
    assert any(line.startswith("∂l/∂") for line in lines), "the gradient that is read off"


def test_a_factor_that_is_not_transposed_is_seen(monkeypatch):
    monkeypatch.setattr(pairing, "_flipped", lambda factors: tuple(reversed(factors)))
    shown = unproved("ridge", full=False)
    assert shown
    assert all(line.startswith("ⅆl") for line in shown)


def test_a_gradient_that_is_printed_wrong_is_seen(monkeypatch):
    right = rolled.write

    def without_a_transpose(equation, *page, **shapes):
        written = right(equation, *page, **shapes)
        match written:
            case Equality(Symbol("∂l/∂W2") as left, Chain((Transposed(first), second))):
                return Equality(left, Chain((first, second)))
        return written

    monkeypatch.setattr(rolled, "write", without_a_transpose)
    assert unproved("fnn") == ["∂l/∂W2 = a1 ∂l/∂z2"]


@pytest.mark.parametrize("vectors", ["row", "column"])
def test_a_gradient_that_lies_the_other_way_is_seen(vectors, monkeypatch):
    monkeypatch.setattr(pairing, "_transposed", lambda notation: notation)
    assert unproved("ridge", vectors=vectors)
    assert unproved("attention", vectors=vectors, gradients="jacobian")


def test_a_letter_left_out_of_a_sum_is_seen(monkeypatch):
    monkeypatch.setattr(pairing, "_summed", lambda letters, body: body)
    assert any(line.startswith("ⅆl") for line in unproved("multi_head_attention"))
