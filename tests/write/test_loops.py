"""A loop stands once on the page, and what stands there is each of its turns."""

import re

import numpy as np
import pytest

import gradproof as gp
from gradproof.core.index import Affine, affine, indices_of
from gradproof.core.program import Equation, shapes
from gradproof.core.term import Add, Along, Bracket, Read, Term, transform
from gradproof.gallery import mlp
from gradproof.trace.source import Source
from gradproof.workbench import read
from gradproof.write import loops as rolling
from gradproof.write.loops import Count, Loop, Series, initial_values, member, moving, series


def rnn(x: "n T 3", h0: "n 4", U: "3 4", W: "4 4", b: "4", V: "4 2", y: "n T 2, data"):
    h = h0
    loss = 0.0
    for t in range(x.shape[1]):
        z = x[:, t] @ U + h @ W + b
        h = np.tanh(z)
        o = h @ V
        loss = loss + 0.5 * np.sum((o - y[:, t]) ** 2)
    return loss


def lstm(
    x: "T n 3", h0: "n 4", C0: "n 4", Wf: "7 4", Wi: "7 4", Wc: "7 4", Wo: "7 4", u: "n 4, data"
):
    h, C = h0, C0
    for t in range(x.shape[0]):
        v = np.concatenate([h, x[t]], axis=1)
        f, i, o = gp.sigmoid(v @ Wf), gp.sigmoid(v @ Wi), gp.sigmoid(v @ Wo)
        C = f * C + i * np.tanh(v @ Wc)
        h = o * np.tanh(C)
    return np.sum(u * h)


def without_start(x: "n T 3", U: "3 4", W: "4 4", y: "n 4, data"):
    h = np.tanh(x[:, 0] @ U)
    for t in range(1, x.shape[1]):
        h = np.tanh(x[:, t] @ U + h @ W)
    return 0.5 * np.sum((h - y) ** 2)


def backwards(x: "n T 3", U: "3 4", W: "4 4", y: "n T 4, data"):
    hs = []
    h = x[:, 0] @ U
    for t in reversed(range(x.shape[1])):
        h = np.tanh(x[:, t] @ U + h @ W)
        hs.append(h)
    H = np.stack(hs, axis=1)
    return 0.5 * np.sum((H - y) ** 2)


def uneven(x: "n T 3", U: "3 3"):
    h = x[:, 0]
    for t in range(x.shape[1]):
        h = np.tanh(h @ U) if t % 2 else np.tanh(h @ U + x[:, t])
    return np.sum(h**2)


def shared(x: "n T 3", h0: "n 3", W: "3 3", V: "3 3"):
    h, loss = h0, 0.0
    for t in range(x.shape[1]):
        u = gp.sigmoid(x[:, t] @ W + x[:, t] @ V)
        h = np.tanh(h @ W + u @ V + h @ V)
        loss = loss + np.sum(h**2)
    return loss


LOOPS = (rnn, lstm, without_start, backwards, uneven, shared)
NETWORKS = {f.__name__: (f, {"T": 6}) for f in LOOPS}
NETWORKS["mlp"] = (mlp.forward, {})


# --- unrolling ---------------------------------------------------------------------------------


def evaluated(text: str, t: int) -> int:
    return int(eval(text.replace("−", "-"), {"t": t}))


def instance(term: Term, t: int, known, initial) -> Term:
    """A page's term at one t: names such as ``h[t−1]`` and ``x[t]`` as the program has them."""

    def place(position: Affine) -> Affine:
        rest = {v: c for v, c in position.terms if v != "t"}
        return affine(rest, position.constant + dict(position.terms).get("t", 0) * t)

    def change(node: Term) -> Term:
        match node:
            case Read(name, places):
                places = tuple(map(place, places))
                found = re.fullmatch(r"(.*?)((?:\[[^\[\]]*\])+)", name)
                if name in known or found is None:
                    return Read(name, places)
                stem, (first, *more) = found[1], re.findall(r"\[([^\]]*)\]", found[2])
                if stem in initial.names or any(n.startswith(f"{stem}[") for n in known):
                    number = evaluated(first, t)
                    stem = f"{stem}[{number}]" if number else initial.names[stem]
                    first, more = (more[0], more[1:]) if more else ("", [])
                cut = [evaluated(part, t) - 1 for part in first.split(",") if part]
                return Read(stem, with_slices(places, cut, stem))
            case Bracket(relation, position):
                return Bracket(relation, place(position))
            case Along(function, over, body, position):
                return Along(function, over, body, place(position))
            case _:
                return node

    def with_slices(places, cut, stem):
        if not cut:
            return places
        wanted = len(known[stem])
        (axis,) = {a for name, a in AXES if name == stem}
        assert wanted == len(places) + 1
        return (*places[:axis], Affine((), cut[0]), *places[axis:])

    return transform(term, change)


AXES = (("x", 1), ("y", 1), ("∂l/∂H", 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_turn_of_a_loop_is_what_the_page_says(name):
    forward, sizes = NETWORKS[name]
    derivation = gp.derive(forward, sizes=sizes).derivation
    if sizes:
        derivation = read(Source(name, forward), {}, sizes)[0].derivation
    known = shapes(derivation.forward) | shapes(derivation.backward)
    global AXES
    AXES = (("x", 0 if name == "lstm" else 1), ("y", 1), ("∂l/∂H", 1))
    initial = initial_values(derivation.forward.equations)
    equations = (*derivation.forward.equations, *derivation.backward.equations)
    members = {e.target: e for e in equations}
    turns = sums = 0
    for one in rolling.loops(equations, initial):
        if isinstance(one, Loop):
            count = Count("t", one.first, {})
            page = rolling.generic(one.equation.term, one.steps, count, initial, dict(known))
            for t in range(one.first, one.last + 1):
                exact = members[f"{one.family}[{t}]"]
                assert plain(instance(page, t, known, initial), initial) == plain(
                    exact.term, initial
                )
                turns += 1
        elif isinstance(one.term, Add):
            sums += check_series(one, initial, known)
    assert turns >= 2
    if name not in ("mlp", "uneven"):
        assert sums >= 1


def plain(term: Term, initial) -> str:
    """A term without the widths of layers, with a family's member 0 under its own name."""
    names = {f"{family}[0]": name for family, name in initial.names.items()}

    def change(node):
        return (
            Read(names[node.tensor], node.at)
            if isinstance(node, Read) and node.tensor in names
            else node
        )

    return re.sub(r"size=(\d+|'\w+')", "", str(transform(term, change)))


def check_series(equation: Equation, initial, known) -> int:
    terms = rolling.told_apart(equation)
    start = side = found = 0
    for part in series(terms, initial):
        if not isinstance(part, Series):
            start += 1
            continue
        number, way = moving(part.term, part.steps, initial)
        count = Count("t", number, {}, way)
        page = rolling.generic(part.term, part.steps, count, initial, dict(known))
        for k in range(part.count):
            at_k = instance(page, number + way * k, known, initial)
            exact = terms[start + side + part.stride * k]
            assert plain(at_k, initial) == plain(exact, initial)
        side += 1
        if side == part.stride:
            start, side = start + part.stride * part.count, 0
        found += 1
    assert start == len(terms) and side == 0
    return found


# --- the page ----------------------------------------------------------------------------------


def test_the_page_is_as_long_for_every_number_of_steps():
    pages = [str(gp.derive(rnn, sizes={"T": steps})) for steps in (3, 30, 100)]
    assert len({page.count("\n") for page in pages}) == 1
    assert "h[t] = tanh(z[t])" in pages[0]
    assert "∂l/∂h[t] = ∂l/∂z[t+1] Wᵀ + ∂l/∂o[t] Vᵀ   n×4   t = 1 … T−1" in pages[0]


def test_several_terms_of_a_turn_are_in_one_sum():
    page = str(gp.derive(shared, sizes={"T": 6}))
    assert "∂l/∂V = Σ_t (u[t]ᵀ ∂l/∂h_1[t] + h[t−1]ᵀ ∂l/∂h_1[t] + x[t]ᵀ ∂l/∂u_1[t])" in page
    assert "∂l/∂x[t] = ∂l/∂u_1[t] Wᵀ + ∂l/∂u_1[t] Vᵀ" in page


def test_a_loop_that_is_not_uniform_is_not_one():
    lines = [line.split("   ")[0] for line in str(gp.derive(uneven, sizes={"T": 6})).splitlines()]
    assert "  h[t] = tanh(h_1[t])" in lines  # that much is the same at every turn
    assert "  h_1[2] = h[1] U + x[:,0]" in lines
    assert "  h_1[3] = h[2] U" in lines
    assert "  h_1[4] = h[3] U + x[:,2]" in lines
    assert "h_1 is written out: its turns 2 and 3 are not alike." in lines


def test_one_wrong_turn_breaks_the_loop():
    derivation = read(Source("rnn", rnn), {}, {"T": 6})[0].derivation
    equations = list(derivation.forward.equations)
    spot = next(k for k, e in enumerate(equations) if e.target == "h[3]")
    wrong = equations[spot]
    term = transform(
        wrong.term,
        lambda n: Read("z[2]", n.at) if isinstance(n, Read) and n.tensor == "z[3]" else n,
    )
    equations[spot] = Equation(wrong.target, wrong.free, term, wrong.place)
    runs = [
        (one.first, one.last)
        for one in rolling.loops(equations, initial_values(equations))
        if isinstance(one, Loop) and one.family == "h"
    ]
    assert (1, 6) not in runs
    assert all(not first <= 3 <= last or first == last for first, last in runs) or (1, 2) in runs


def test_a_member_has_a_family_and_a_number():
    assert member("h[3]") == ("h", 3)
    assert member("∂l/∂h_1[12]") == ("∂l/∂h_1", 12)
    assert member("h0") is None
    assert member("constant[1]") is None
    assert indices_of(Affine(())) == ()
