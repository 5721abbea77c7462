"""The graph of a page: one node for what stands in one line of it."""

import numpy as np
import pytest

from gradproof.report.graph import graph
from gradproof.trace.source import Source
from tests.browsing import documented

LAYERS = 4


def deep(layers):
    def network(x: "n 3", Ws: ["3 3"] * layers, bs: ["3"] * layers, y: "n 3, data"):
        a = x
        for W, b in zip(Ws, bs, strict=True):
            z = a @ W + b
            a = np.tanh(z)
        return np.sum((a - y) ** 2)

    return network


def apart(x: "n 3", Ws: ["3 3"] * 2):
    a1 = np.tanh(x @ Ws[0])
    a2 = np.maximum(a1 @ Ws[1], 0)
    return np.sum(a2**2)


def drawn(network):
    return graph(documented(Source(network.__name__, network)))


def named(drawing):
    names = {node.key: node.name for node in drawing.nodes}
    return sorted(names.values()), {(names[e.source], names[e.target]) for e in drawing.edges}


def test_the_weights_of_a_loop_are_one_node_as_the_loop_is():
    names, edges = named(drawn(deep(LAYERS)))
    assert names == ["Ws[t]", "a[t]", "bs[t]", "loss", "x", "y", "z[t]"]
    assert edges == {
        ("x", "z[t]"), ("Ws[t]", "z[t]"), ("bs[t]", "z[t]"), ("a[t]", "z[t]"), ("z[t]", "a[t]"),
        ("a[t]", "loss"), ("y", "loss"),
    }  # fmt: skip


def test_such_a_node_leads_to_the_card_of_all_their_gradients():
    document = documented(Source("deep", deep(LAYERS)))
    nodes = {node.name: node for node in graph(document).nodes}
    card = next(c for c in document.gradients if c.key == nodes["Ws[t]"].gradient)
    assert len(card.members) == LAYERS


def test_weights_that_no_loop_reads_stand_each_for_itself():
    names, _ = named(drawn(apart))
    assert {"Ws[1]", "Ws[2]"} <= set(names)


@pytest.mark.parametrize("layers", [3, 30])
def test_the_graph_of_a_loop_does_not_depend_on_its_length(layers):
    assert len(drawn(deep(layers)).nodes) == 7
