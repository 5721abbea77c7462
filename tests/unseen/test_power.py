"""Data that hide a mistake are said to, and what is proposed in their place shows it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gradproof as gp
from gradproof.cli import main
from gradproof.core.program import Equation
from gradproof.engines.dtype import in_dtype
from gradproof.engines.engine import load
from gradproof.gallery import catalogue
from gradproof.judge.clinic import open_clinic
from gradproof.judge.mutant import mutants
from gradproof.judge.sight import stage
from gradproof.judge.stage import judge_stage
from gradproof.unseen.looking import Asked, look
from gradproof.unseen.verb import power_source


def net(x: "n 3", W: "3 4", b: "4", y: "n 4, data"):
    z = x @ W + b
    a = np.tanh(z)
    return np.sum((a - y) ** 2)


def square(x: "n d", W: "d d", y: "n d, data"):
    z = x @ W
    a = np.tanh(z)
    q = a @ W
    return np.sum((q - y) ** 2)


def recurrent(x: "n T 2", U: "2 3", V: "3 3"):
    h = np.tanh(x[:, 0] @ U)
    for t in range(1, x.shape[1]):
        h = np.tanh(x[:, t] @ U + h @ V)
    return np.sum(h**2)


def normalised(x: "n d", g: "n d, data"):
    c = x - np.mean(x, axis=0)
    v = np.mean(c**2, axis=0)
    s = np.sqrt(v + 1e-5)
    y = c / s
    return np.sum(g * y)


def summed(x: "n d"):
    c = x - np.mean(x, axis=0)
    s = np.sqrt(np.mean(c**2, axis=0) + 1e-5)
    y = c / s
    return np.sum(y)


def relu_net(x: "n 3", W: "3 4", y: "n 4, data"):
    z = x @ W
    a = gp.relu(z)
    return np.sum((a - y) ** 2)


def names(report, of):
    return {one.mistake for one in report.unseen if one.of == of}


def test_generic_data_show_every_mistake():
    report = gp.power(net, engine="numpy")
    assert report.exit_code == 0
    assert not report.unseen
    assert sum(row.mistakes for row in report.rows) > 200


def test_a_batch_of_one_hides_factors_of_the_batch_and_incomplete_sums():
    report = gp.power(net, engine="numpy", sizes={"n": 1})
    assert report.exit_code == 1
    assert {"times a size", "only the first", "mean for sum"} <= names(report, "W")
    assert "over a size" in names(report, "z")
    assert "sign" not in names(report, "W")
    assert {one.by for one in report.unseen} == {"n = 5"}


def test_a_symmetric_matrix_hides_a_transpose():
    W = np.random.default_rng(0).normal(size=(4, 4))
    report = gp.power(square, {"W": W + W.T}, engine="numpy")
    assert names(report, "a") == {"operand transposed"}
    assert {one.by for one in report.unseen} == {"drawn data"}
    assert gp.power(square, {"W": W}, engine="numpy").ok


def test_one_step_hides_the_recurrent_weight():
    report = gp.power(recurrent, engine="numpy", sizes={"T": 1})
    assert report["V"].seen < report["V"].mistakes / 2
    assert len(names(report, "V")) > 10
    assert all(one.by.startswith("T = ") for one in report.unseen if one.of == "V")
    assert "∂l/∂V" in " ".join(report.notes)


def test_an_upstream_gradient_of_ones_hides_mistakes_of_a_normalisation():
    ones = gp.power(normalised, {"g": np.ones((5, 3))}, engine="numpy")
    assert len(ones.unseen) > 20
    assert all(one.by == "drawn data" for one in ones.unseen)


def test_what_a_plain_sum_as_loss_hides_is_said_and_is_no_mistake_there():
    report = gp.power(summed, engine="numpy")
    assert len(report.for_loss) > 20
    assert report.constant == ("∂l/∂y",)
    assert not gp.power(normalised, engine="numpy").for_loss


def test_sixteen_bits_hide_what_float32_shows():
    coarse = gp.power(net, engine="torch", dtype="bfloat16")
    assert "one element off" in {one.mistake for one in coarse.unseen}
    assert {one.by for one in coarse.unseen} <= {"float64"}


def test_an_epsilon_is_hidden_by_large_numbers():
    x = 1000 * np.random.default_rng(0).normal(size=(5, 3))
    report = gp.power(normalised, {"x": x}, engine="numpy")
    assert "epsilon missing" in {one.mistake for one in report.unseen}
    assert all(one.by for one in report.unseen)


def test_a_mask_that_stands_twice_is_no_mistake():
    report = gp.power(relu_net, engine="numpy", seed=1)
    assert report.ok
    assert report["z"].equal >= 1


def test_what_is_proposed_shows_what_it_is_said_to_show():
    hidden = gp.power(net, engine="numpy", sizes={"n": 1})
    (proposal,) = hidden.proposals
    assert proposal.shows == len(hidden.unseen)
    again = gp.power(net, engine="numpy", sizes={"n": int(proposal.words.removeprefix("n = "))})
    assert not again.unseen


def test_what_counts_as_seen_is_refuted_by_the_verdict_on_it():
    source = replace(catalogue.find("fnn"), backward=None)
    here = look(Asked(source, load("numpy"), "float32", 0, {}, {"n": 1}))
    traced, view = here.traced, here.view
    clinic = open_clinic(traced.paper, traced.derivation, {"n": 5})
    seen = unseen = 0
    for step in traced.derivation.steps:
        raw = Equation(step.equation.target, step.equation.free, step.raw)
        for mutant in mutants(step.of, clinic):
            shown = here.shows(mutant)
            value = stage(mutant.equation, view)
            computed = in_dtype(value[0], "float32")
            if computed.shape != view.operands[step.equation.target].shape:
                continue
            verdict = judge_stage(raw, computed, view.operands, view.sizes, view.contract, None)
            if shown:
                assert verdict.kind == "refuted"
                seen += 1
            else:
                unseen += verdict.kind != "refuted"
    assert seen > 300
    assert unseen > 50


def test_a_size_that_is_not_there_is_an_error():
    with pytest.raises(gp.DataError, match="no size called T"):
        gp.power(net, engine="numpy", sizes={"T": 1})


def test_the_command_line_says_it_by_its_exit_code(capsys):
    assert main(["power", "affine", "--engine", "numpy"]) == 0
    capsys.readouterr()
    assert main(["power", "affine", "--engine", "numpy", "--n", "1", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["unseen"]
    assert {row["name"] for row in said["rows"]} >= {"x", "W", "b"}
    assert main(["power", "affine", "--engine", "numpy", "--size", "T=3"]) == 2


def test_a_page_fits_its_width():
    report = gp.power(net, engine="numpy", sizes={"n": 1})
    assert max(len(line.plain) for line in report.lines(100)) <= 100
    assert max(len(line.plain) for line in report.lines(72)) <= 72


SLOW = ("activations", "gpt_block", "gru", "gru_cho", "instance_norm", "lstm", "rnn", "stacked_rnn")
"""They take seconds each, and stand on the page of `benchmarks/unseen.py` alone."""

PAGE = Path(__file__).parent.parent.parent / "docs" / "power.md"


@pytest.mark.parametrize("name", sorted({*catalogue.names()} - {*SLOW}))
def test_the_default_data_of_the_gallery_show_every_mistake(name):
    report = power_source(catalogue.find(name), {}, "numpy", "float32", 0, {})
    assert report.exit_code == 0, str(report)


def test_the_page_of_the_survey_has_the_whole_gallery_and_nothing_unseen():
    lines = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
    head = next(cells for cells in lines if cells[0] == "| network")
    rows = {cells[0].removeprefix("| "): cells for cells in lines if len(cells) == len(head)}
    rows.pop("network")
    assert list(rows) == list(catalogue.names())
    for name, cells in rows.items():
        found = dict(zip(head, cells, strict=True))
        assert (found["not seen"], found["open"]) == ("0", "0"), name
        assert int(found["mistakes"]) > 50, name


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_chinese_page_says_all_in_chinese(dtype):
    def forward(x: "n 3", W: "3 2"):
        z = x @ W
        return np.sum(z)

    report = gp.power(forward, engine="numpy", dtype=dtype, sizes={"n": 1})
    said = "\n".join(line.plain for line in report.lines(100, "zh"))
    assert "看不出，但换成" in said and "对这个损失成立" in said
    names = "gradproof|power|forward|NumPy|with|autograd|float\\d+|np|sum|size|dtype|seed|JSON|ulp"
    left = [w for w in re.findall("[A-Za-z]{2,}[0-9]*", said) if not re.fullmatch(names, w)]
    assert left == []
