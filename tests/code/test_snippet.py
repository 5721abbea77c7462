"""What the page gives to be copied runs, and computes the gradient beside which it stands."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pytest

from gradproof.code.checking import check_data
from gradproof.code.snippet import Snippet, snippets
from gradproof.core.program import Derivation, Equation
from gradproof.engines.contract import Contract, contract
from gradproof.engines.engine import load
from gradproof.exporting import export_source, with_numpy
from gradproof.gallery import catalogue
from gradproof.judge.generic import by_parameter
from gradproof.judge.stage import judge_stage
from gradproof.report.sheet import sheet_of
from gradproof.trace.source import Source
from gradproof.words import in_language
from gradproof.workbench import read
from tests.browsing import documented

CONTRACT = contract("numpy", "float32")
"""What is computed in float64 is held to the bounds of float32: roundings are 2²⁹ times less."""

MATRICES = ("inverse", "linear_solve")
"""In float32 an inverse of the drawn matrix would have no bound; the copied lines read it too."""

SIZES = {"rnn": {"T": 4}, "lstm": {"T": 4}, "gru": {"T": 4}, "gru_cho": {"T": 4}}
"""Numbers of turns that are enough for loops."""


class Copied(NamedTuple):
    """What can be copied on a network's page, with the values and the gradients of a run."""

    derivation: Derivation
    sizes: Mapping[str, int]
    snippets: list[Snippet]
    values: Mapping[str, np.ndarray]
    held: Contract


def copied(source, sizes):
    """A network's page, on NumPy, in float64."""
    traced, chosen = read(source, {}, sizes)
    paper, derivation = traced.paper, traced.derivation
    of = {symbol: name for name, symbol in derivation.gradients.items()}
    sheet = sheet_of(paper, derivation, traced.layout)
    groups = [
        tuple(of[one] for one in line.members or (line.target.removesuffix("[t]"),))
        for line in sheet.gradient_lines()
    ]
    given = [tensor for tensor in paper.forward.inputs if tensor.name not in paper.constants]
    data = check_data(given, chosen)
    arguments = by_parameter(traced.signature, data)
    run = load("numpy").run(source.forward, arguments, paper.operations, paper.loss, "float64")
    gradients = {
        symbol: run.gradients[name]
        for name, symbol in derivation.gradients.items()
        if name in run.gradients
    }
    constants = {name: np.asarray(array) for name, array in paper.constants.items()}
    values = {**constants, **data, **run.values, **gradients}
    held = contract("numpy", "float64") if source.name in MATRICES else CONTRACT
    return Copied(derivation, chosen, snippets(paper, traced.layout, groups), values, held)


def put(space, variable, value):
    """A value under its variable, in a dictionary if it is one of many."""
    found = re.fullmatch(r"(\w+)\[(\d+)\]", variable)
    if found is None:
        space[variable] = value
    else:
        space.setdefault(found[1], {})[int(found[2])] = value


def computed(one, values, text=None):
    """The gradients that copied lines make of nothing but what they say is given."""
    space = {}
    for name, variable in one.given.items():
        assert variable.partition("[")[0] in one.text.partition("\n# ∂l")[0]
        put(space, variable, values[name])
    exec(compile(text or one.text, "copied", "exec"), space)
    return {name: eval(variable, space) for name, variable in one.made.items()}


def verdicts(page, one, text=None):
    """Whether each gradient that copied lines make is the derived one of the same operands."""
    steps = {step.equation.target: step for step in page.derivation.steps}
    found = {}
    for name, array in computed(one, page.values, text).items():
        stage = Equation(name, steps[name].equation.free, steps[name].raw)
        array = np.asarray(array)
        judged = judge_stage(stage, array, page.values, page.sizes, page.held, None)
        found[name] = judged.kind
    return found


@pytest.mark.parametrize("network", catalogue.names())
def test_what_is_copied_computes_the_gradient(network):
    page = copied(catalogue.find(network), SIZES.get(network, {}))
    found = {}
    for one in page.snippets:
        assert one.text and not one.why_not
        found |= verdicts(page, one)
    assert set(found) == set(page.derivation.gradients.values())
    assert {name for name, kind in found.items() if kind != "agrees"} == set()


@pytest.mark.parametrize(
    ("network", "variable", "right", "wrong"),
    [
        ("fnn", "dl_dW2", "a1.T @ dl_dz2", "a1.T @ dl_dz2 / 2"),
        ("fnn", "dl_dz1", "(1 - a1)", "(1 + a1)"),
        ("rnn", "dl_dU", "x[:, t - 1]", "x[:, t - 2]"),
        ("rnn", "dl_dh[3]", "dl_do[t] @", "dl_do[1] @"),
    ],
)
def test_a_wrong_line_would_be_seen(network, variable, right, wrong):
    page = copied(catalogue.find(network), SIZES.get(network, {}))
    one = next(one for one in page.snippets if variable in one.made.values())
    assert right in one.text
    found = verdicts(page, one, one.text.replace(right, wrong))
    assert "refuted" in found.values()


def of_the_same_names(
    n: "n d", d: "d n", lambda_: "lambda n", t: "1", k: "1", turn: "1", turn_: "1"
):
    dl_dz = n @ d
    z = dl_dz * dl_dz.T
    size_n = np.sum(z, axis=0)
    return np.mean(size_n**2) + np.mean(lambda_**2) + np.sum(t * k * turn * turn_)


def test_a_network_may_have_the_names_that_gradients_and_sizes_have():
    page = copied(Source("of_the_same_names", of_the_same_names), {})
    found = {}
    for one in page.snippets:
        found |= verdicts(page, one)
    assert set(found) == set(page.derivation.gradients.values())
    assert set(found.values()) == {"agrees"}


def test_exported_files_tell_a_gradient_from_a_value_of_its_name():
    source = Source("of_the_same_names", of_the_same_names)
    text = export_source(source, "numpy", {}, {}, "gradproof export", vjp=False)
    space = {"__name__": "exported"}
    exec(compile(text, "exported", "exec"), space)
    space["check"]()


def brought_along(x: "n 3", W: "3 3"):
    return np.sum(x @ W @ np.arange(9.0).reshape(3, 3))


def test_what_has_no_code_says_why_in_both_languages():
    source = Source("brought_along", brought_along)
    document = documented(source)
    why = "a plain array that the function brings along, cannot be exported yet."
    without = [card for card in document.gradients if card.no_numpy]
    assert without and all(not card.numpy and why in card.no_numpy for card in without)
    (first, *_) = in_language(without, "zh")
    assert "函数自带的普通数组" in first.no_numpy
    assert with_numpy(document, source, {}, {}) == document
