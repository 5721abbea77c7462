"""The page for one sample is that of the network with one sample, and nothing else is assumed."""

import numpy as np
import pytest

import gradproof as gp
from gradproof.cli import main
from gradproof.core.errors import DataError, NotYet
from gradproof.gallery import fnn
from gradproof.gallery.catalogue import find
from gradproof.workbench import derive_source


def test_vectors_stand_where_the_batch_had_matrices_and_no_sum_is_over_it():
    page = gp.derive(fnn.forward, one="n").to_text("column")
    assert "z1 = W1 x + b1         4×1" in page
    assert "∂l/∂b2 = ∂l/∂z2            3×1" in page
    assert "Σ_n" not in page and "n×" not in page and "×n" not in page
    steps = gp.derive(fnn.forward, one="n").steps("column", detail="full")
    lines = [line for one in steps.gradients for part in one.parts for line in part.lines]
    assert len(lines) > 30
    assert all(line.sure is not None for line in lines)


def test_samples_that_meet_are_those_of_one_sample():
    def forward(x: "n 3", g: "n 3, data"):
        m = np.mean(x, axis=0)
        return np.sum(g * (x - m))

    assert "m = x " in gp.derive(forward, one="n").to_text()


def test_a_recurrence_keeps_its_turns():
    page = derive_source(find("rnn"), {}, {}, one="n").to_text()
    assert "∂l/∂c = Σ_t ∂l/∂o[t]" in page and "t = 1 … T−1" in page and "Σ_n" not in page


def test_what_has_no_page_for_one_sample_is_refused_with_the_line():
    with pytest.raises(NotYet, match=r"Q has 3 axes and would keep that of n") as problem:
        derive_source(find("multi_head_attention"), {}, {}, one="n")
    assert problem.value.place.line
    with pytest.raises(DataError, match=r"No parameter has an axis of size q\.  The sizes are n"):
        gp.derive(fnn.forward, one="q")
    with pytest.raises(
        DataError, match=r"A size symbol is needed for one sample, and 2 is a number\."
    ):
        gp.derive(fnn.forward, one="2")
    with pytest.raises(DataError, match="it is none of samples"):
        gp.derive(lambda i, E: E[i].sum(), {"i": "n, index v", "E": "v 3"}, one="v")


def test_the_command_line_takes_one(capsys):
    assert main(["derive", "fnn", "--one", "n", "--layout", "jacobian"]) == 0
    assert "∂l/∂b2 = ∂l/∂z2" in capsys.readouterr().out
    assert main(["derive", "fnn", "--one", "n", "--format", "ipynb"]) == 2


def test_an_axis_of_one_turn_is_refused_where_no_loop_takes_it_away(capsys):
    assert main(["derive", "rnn", "--one", "n"]) == 0
    assert "x[t] U" in capsys.readouterr().out
    assert main(["derive", "rnn", "--one", "T"]) == 2
    assert "x has 3 axes and would keep that of T" in capsys.readouterr().err
