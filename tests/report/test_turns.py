"""Rows of loops: one for all turns, with the worst verdict and the turns that it is on."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from gradproof import gallery
from gradproof.gallery.catalogue import find
from gradproof.report.console import show
from gradproof.workbench import verify_source

RNN = (Path(gallery.__file__).parent / "rnn.py").read_text(encoding="utf-8")

UNNAMED = (
    RNN.replace("        a = x[:, t] @ U + h @ W + b\n", "")
    .replace("np.tanh(a)", "np.tanh(x[:, t] @ U + h @ W + b)")
    .replace('"da": da, ', "")
)


@pytest.fixture
def shown(tmp_path):
    def of(code):
        path = tmp_path / "net.py"
        path.write_text(code, encoding="utf-8")
        console = Console(file=io.StringIO(), width=100, highlight=False)
        show(verify_source(find(str(path)), {}, "numpy", "float64", 0, {}), console)
        return console.file.getvalue().splitlines()

    return of


def below(lines, start):
    """A row and the lines that belong to it."""
    spot = next(n for n, line in enumerate(lines) if line.startswith(start))
    rest = lines[spot + 1 :]
    more = next(n for n, line in enumerate(rest) if not line.startswith("   "))
    return lines[spot], [line.strip() for line in rest[:more]]


def changed(old, new):
    assert RNN.count(old) == 1
    return RNN.replace(old, new)


def test_the_turns_of_a_loop_are_one_row(shown):
    lines = shown(RNN)
    row, _ = below(lines, "h[t] ")
    assert "tanh(a[t])" in row and row.endswith("✓ agrees")
    row, more = below(lines, "∂l/∂h[t] ")
    assert row.endswith("✓ proved   ✓ agrees")
    assert more[-2:] == ["yours: ∂l/∂o[t] Vᵀ + dh_next[t]", "for t = 1 … 5"]
    assert not any(line.startswith("∂l/∂o[3]") for line in lines)
    assert "where h[0] is h0" in lines
    assert "where x[t] is x[:, t−1] in the code" in lines


def test_what_a_backward_loop_makes_has_the_numbers_of_forward(shown):
    lines = shown(UNNAMED)
    own = [line.strip() for line in lines]
    assert "da[t] = ∂l/∂h[t] ⊙ (1 − h[t]²)   t = 1 … 6" in own
    assert "dh_next[t] = da[t+1] Wᵀ   t = 1 … 5" in own
    _, more = below(lines, "∂l/∂W ")
    assert more == ["yours: Σ_t h[t−1]ᵀ da[t]"]


def test_a_row_says_which_of_its_turns_are_wrong(shown):
    lines = shown(changed("do = ps[t] - y[:, t]", "do = (2 if t == 2 else 1) * ps[t] - y[:, t]"))
    row, more = below(lines, "∂l/∂o[t] ")
    assert "✗ refuted t=3" in row
    assert more[-3:] == [
        "yours: ∂l/∂o[t] = p[t] − y[t]   t = 4 … 6",
        "yours: ∂l/∂o[3] = 2 p[3] − y[3]",
        "yours: ∂l/∂o[t] = p[t] − y[t]   t = 1 … 2",
    ]


def test_a_state_without_the_gradient_of_the_next_one_is_wrong_at_every_turn_but_the_last(shown):
    lines = shown(changed("dh = do @ V.T + dh_next", "dh = do @ V.T"))
    assert "✗ refuted" in below(lines, "∂l/∂h[t] ")[0]
    assert "t=" not in below(lines, "∂l/∂h[t] ")[0]
    assert "✓ proved" in below(lines, "∂l/∂h[6] ")[0]
