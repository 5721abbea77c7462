"""What textbooks print of a convolution reads back as the sum that it stands for."""

from dataclasses import replace

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.program import shapes
from gradproof.derivation import derive
from gradproof.ink.latex import latex
from gradproof.ink.terminal import text
from gradproof.judge.elements import same_elements
from gradproof.report.sliding import sliding_forms
from gradproof.trace.paper import trace
from gradproof.trace.signature import read_signature
from gradproof.write.convention import Convention
from gradproof.write.notation import (
    Correlation,
    Equality,
    LetterSum,
    Padded,
    Plus,
    Sliced,
    Turned,
    Widened,
)
from gradproof.write.planes import write_planes
from gradproof.write.read import read

IMAGES = {"x": "n 7 6 2", "W": "3 2 2 4"}
ROWS = {"x": "n 9 2", "W": "3 2 4"}
FIRST = {"x": "n 2 7 6", "W": "4 2 3 2"}

NETWORKS = {
    "valid": (lambda x, W: gp.conv2d(x, W), IMAGES),
    "padded": (lambda x, W: gp.conv2d(x, W, padding=1), IMAGES),
    "uneven ends": (lambda x, W: gp.conv2d(x, W, padding=((2, 1), (0, 1))), IMAGES),
    "stride": (lambda x, W: gp.conv2d(x, W, stride=2, padding=1), IMAGES),
    "unequal strides": (lambda x, W: gp.conv2d(x, W, stride=(3, 1)), IMAGES),
    "dilation": (lambda x, W: gp.conv2d(x, W, dilation=(2, 3)), IMAGES),
    "stride and dilation": (lambda x, W: gp.conv2d(x, W, stride=2, dilation=2), IMAGES),
    "channels first": (lambda x, W: gp.conv2d(x, W, stride=(2, 1), layout="NCHW"), FIRST),
    "one axis": (lambda x, W: gp.conv1d(x, W, padding=1), ROWS),
    "one axis, stride": (lambda x, W: gp.conv1d(x, W, stride=2, padding=2), ROWS),
    "transposed": (lambda x, W: gp.conv_transpose2d(x, np.swapaxes(W, 2, 3)), IMAGES),
    "with a bias": (lambda x, W: gp.conv2d(x, W) + W[0, 0, 0], IMAGES),
}


def derived(name):
    function, known = NETWORKS[name]

    def forward(x, W):
        z = function(x, W)
        return np.sum(z**3)

    paper = trace(forward, None, read_signature(forward, known), {"n": 5})
    return derive(paper.forward)


@pytest.mark.parametrize("vectors", ["row", "column"])
@pytest.mark.parametrize("name", NETWORKS)
def test_forward_and_both_gradients_have_a_form_that_is_proved_equal(name, vectors):
    derivation = derived(name)
    found = sliding_forms(derivation, Convention(vectors))
    # A kernel that is read in two ways has no gradient in one form.
    expected = {"z", "∂l/∂x"} | (set() if name == "with a bias" else {"∂l/∂W"})
    assert expected <= set(found)
    for equality in found.values():
        assert "⋆" in text(equality) and r"\star" in latex(equality)


@pytest.mark.parametrize("vectors", ["row", "column"])
@pytest.mark.parametrize("name", NETWORKS)
def test_planes_that_lie_as_jacobians_slide_as_well(name, vectors):
    derivation = derived(name)
    usual = sliding_forms(derivation, Convention(vectors))
    found = sliding_forms(derivation, Convention(vectors, gradients="jacobian"))
    assert found.keys() == usual.keys()
    assert found["z"] == usual["z"] and found["∂l/∂x"] != usual["∂l/∂x"]


def wrong_forms(notation):
    """The notation with one mistake: not turned, zeros moved by one, a step left out."""
    match notation:
        case Equality(left, right):
            return [Equality(left, one) for one in wrong_forms(right)]
        case Plus((first, *rest)):
            return [Plus((one, *rest)) for one in wrong_forms(first)]
        case LetterSum(letters, body):
            return [LetterSum(letters, one) for one in wrong_forms(body)]
        case Correlation(left, right, steps):
            inside = [Correlation(one, right, steps) for one in wrong_forms(left)]
            return inside + [Correlation(left, one, steps) for one in wrong_forms(right)]
        case Turned(body, _):
            return [body]
        case Padded(body, ends):
            moved = tuple((before + 1, after - 1) for before, after in ends)
            return [Padded(body, moved), *(replace(notation, body=b) for b in wrong_forms(body))]
        case Widened() | Sliced():
            return []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_mistake_in_a_form_is_not_equal(name):
    derivation = derived(name)
    convention = Convention("row")
    known = shapes(derivation.forward) | shapes(derivation.backward)
    tried = 0
    for equation in (*derivation.forward.equations, *derivation.backward.equations):
        written = write_planes(equation, convention, {}, known)
        for wrong in wrong_forms(written) if written is not None else ():
            tried += 1
            assert not same_elements(equation, read(wrong, known, convention)), text(wrong)
    assert tried >= 1


def test_a_network_without_windows_has_no_such_form():
    def forward(x: "n 3", W: "3 4"):
        z = x @ W
        return np.sum(z[:, 1:] * z[:, :-1])

    paper = trace(forward, None, read_signature(forward, {}), {"n": 5})
    assert sliding_forms(derive(paper.forward), Convention("row")) == {}


def test_the_page_of_a_convolution_says_what_its_signs_mean():
    def forward(x: "n 5 6 2", W: "3 3 2 3"):
        z = gp.conv2d(x, W)
        return np.sum(z**2)

    lines = str(gp.derive(forward)).splitlines()
    assert "  ∂l/∂W[:,:,k,p] = Σ_n x[n,:,:,k] ⋆ ∂l/∂z[n,:,:,p]" in {
        ln[:53].rstrip() for ln in lines
    }
    legend = "\n".join(lines).partition("\nWhere windows slide\n")[2]
    assert "pad(A, k)" in legend and "rot180(A)" in legend and "A↑s" not in legend
    assert max(map(len, lines)) <= 100
