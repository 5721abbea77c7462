"""A window, and what it slides over, keep their own sizes where formulas are compared."""

import numpy as np

import gradproof as gp
from gradproof.core.program import Program, shapes
from gradproof.judge.axes import typed
from gradproof.judge.identity import prove
from gradproof.trace.source import Source
from gradproof.workbench import read


def forward(x: "n 7 8 2", W: "3 3 2 4", y: "n 4 4 4, data"):
    z = gp.conv2d(x, W, stride=2, padding=1)
    return 0.5 * np.sum((z - y) ** 2)


def without_the_last_channel(z, y):
    dz = np.zeros(z.shape)
    dz[..., :3] = (z - y)[..., :3]
    return {"dz": dz}


def without_the_last_row(x, z, y):
    dz = z - y
    around = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    dW = np.zeros((3, 3, 2, 4))
    for r in range(3):
        for s in range(3):
            there = around[:, r : r + 5 : 2, s : s + 7 : 2]
            dW[r, s] = np.einsum("nijc,nijo->co", there, dz[:, :3])
    return {"dz": dz, "dW": dW}


def proofs(backward):
    traced, _ = read(Source("paper", forward, backward), {}, {})
    return prove(traced.paper, traced.derivation)


def test_sizes_that_meet_in_one_position_stay_apart():
    traced, _ = read(Source("paper", forward), {}, {})
    program = traced.paper.forward
    kinds = typed(Program(program.inputs, program.equations, ()), frozenset())
    known = shapes(kinds.program)
    assert known["x"][1:3] == (7, 8)
    assert known["W"][:2] == (3, 3)
    assert known["z"][1:3] == (4, 4)
    assert {7, 8, 3, 4} <= kinds.rigid


def test_a_channel_that_was_left_out_is_not_proved():
    assert not proofs(without_the_last_channel)["z"].own


def test_a_row_that_was_left_out_is_not_proved():
    found = proofs(without_the_last_row)
    assert found["z"].chain
    assert not found["W"].own
