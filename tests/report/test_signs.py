"""Gradients written as ∂l/∂z, δz or z̄: one derivation, in every format."""

import pytest
from rich.cells import cell_len

import gradproof as gp
from gradproof.core.errors import DataError
from gradproof.gallery import catalogue, fnn
from gradproof.workbench import derive_source

SIGNS = {
    "delta": ("δz2 = δa2 ⊙ σ′(z2)", r"\delta_{z_{2}}", "<msub><mi>δ</mi>"),
    "bar": ("z̄2 = ā2 ⊙ σ′(z2)", r"\overline{z_{2}}", "<mover>"),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_a_gradient_has_its_sign_in_every_format(sign):
    text, tex, mathml = SIGNS[sign]
    page = gp.derive(fnn.forward, gradient=sign)
    assert text in page.to_text()
    assert tex in page.to_latex()
    assert tex in page.to_markdown()
    assert mathml in page.to_html()
    for written in (page.to_text(), page.to_latex(), page.to_html(), page.to_json()):
        assert "∂" not in written
        assert "partial" not in written


@pytest.mark.parametrize("sign", SIGNS)
def test_the_steps_are_proved_under_each_sign(sign):
    page = gp.derive(fnn.forward, gradient=sign)
    said = page.to_text(detail="steps")
    assert "Checked: each line was read back" in said
    assert "not proved" not in said


@pytest.mark.parametrize("sign", SIGNS)
def test_only_the_sign_differs(sign):
    text, other = (
        derive_source(catalogue.find("rnn"), {}, {}, s).to_text() for s in ("partial", sign)
    )
    assert text.count("\n") == other.count("\n")


def test_a_macron_takes_no_column():
    lines = gp.derive(fnn.forward, gradient="bar").to_text().splitlines()
    start = lines.index("Gradients, back to front")
    ends = {cell_len(line.rpartition("   ")[0]) for line in lines[start + 1 : start + 10]}
    assert len(ends) == 1


def test_an_unknown_sign_is_an_error():
    with pytest.raises(DataError, match="partial, delta and bar, not nabla"):
        gp.derive(fnn.forward, gradient="nabla")
