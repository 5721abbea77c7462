"""Whatever the prover proves is true: random formulas against their mutants, by plain numbers."""

from random import Random

import numpy as np
import pytest

import gradproof as gp
from gradproof.judge.identity import prove
from gradproof.trace.source import Source
from gradproof.workbench import read

SPACE = {
    "np": np,
    "sigmoid": gp.sigmoid,
    "relu": gp.relu,
    "softmax": gp.softmax,
    "logsumexp": gp.logsumexp,
}

LEAVES = {
    "matrix": ["x", "y", "s", "x * u", "y * t[:, None]", "u + x", "0.5 * x"],
    "square": ["A", "B", "A.T", "B.T", "x.T @ y", "y.T @ x"],
    "row": ["u", "x.sum(axis=0)", "y.mean(axis=0)", "u @ A", "A @ u", "t @ x"],
    "column": ["t", "x.sum(axis=1)", "y.mean(axis=1)", "x @ u"],
}
JOINS = {
    "matrix": [
        "{matrix} + {matrix}", "{matrix} - {matrix}", "{matrix} * {matrix}", "{matrix} @ {square}",
        "{matrix} * {row}", "{matrix} + {column}[:, None]", "np.exp({matrix})", "relu({matrix})",
        "sigmoid({matrix})", "np.tanh({matrix})", "softmax({matrix}, axis=1)",
        "softmax({matrix}, axis=0)", "{matrix} / (1 + ({matrix})**2)", "({matrix})**2",
        "{matrix} * ({matrix} > {matrix})", "np.maximum({matrix}, {matrix})",
        "{matrix} / x.shape[0]", "{matrix} * x.shape[1]", "({matrix}) * np.sqrt(s)",
        "np.sqrt(({matrix})**2 + 1)", "np.abs({matrix})",
        "{matrix} - ({matrix}).mean(axis=1, keepdims=True)",
    ],
    "square": ["{square} @ {square}", "{square} + {square}", "({square}).T", "np.tanh({square})",
               "({matrix}).T @ ({matrix})", "{square} * {square}"],
    "row": ["({matrix}).sum(axis=0)", "({matrix}).mean(axis=0)", "{row} @ {square}",
            "{row} + {row}", "({matrix}).max(axis=0)", "({column}) @ ({matrix})", "{row} * {row}"],
    "column": ["({matrix}).sum(axis=1)", "({matrix}).mean(axis=1)", "({matrix}) @ ({row})",
               "logsumexp({matrix}, axis=1)", "({matrix}).max(axis=1)", "{column} * {column}"],
}  # fmt: skip
EQUAL = [
    ("{a} + {b}", "{b} + {a}"),
    ("{a} * {b}", "{b} * {a}"),
    ("({a} + {b}) * {a}", "{a} * {a} + {b} * {a}"),
    ("({a} - {b})**2", "({a})**2 - 2 * {a} * {b} + ({b})**2"),
    ("{a} * sigmoid({b})", "{a} / (1 + np.exp(-({b})))"),
    ("({a} + {b}).sum(axis=1)", "({a}).sum(axis=1) + ({b}).sum(axis=1)"),
    ("({a}).mean(axis=0) * x.shape[0]", "({a}).sum(axis=0)"),
    ("({a} * {b}).sum(axis=1)[:, None] * {a}", "{a} * (({b}) * ({a})).sum(axis=1, keepdims=True)"),
    ("({a}) @ (A + B)", "({a}) @ A + ({a}) @ B"),
    ("(({a}) @ A).T @ ({b})", "A.T @ (({a}).T @ ({b}))"),
    ("1 - np.tanh({a})**2", "4 * sigmoid(2 * ({a})) * sigmoid(-2 * ({a}))"),
    ("softmax({a}, axis=1)", "np.exp({a}) / np.exp({a}).sum(axis=1, keepdims=True)"),
    ("np.exp({a} + {b})", "np.exp({a}) * np.exp({b})"),
    ("relu({a}) - relu(-({a}))", "{a}"),
    ("np.sqrt(({a})**2 + 1) * np.sqrt(({a})**2 + 1)", "({a})**2 + 1"),
]


def grown(kind, chance, depth):
    if depth == 0 or chance.random() < 0.15:
        return f"({chance.choice(LEAVES[kind])})"
    text = chance.choice(JOINS[kind])
    for below in ("matrix", "square", "row", "column"):
        while "{" + below + "}" in text:
            text = text.replace("{" + below + "}", grown(below, chance, depth - 1), 1)
    return f"({text})"


CHANGES = (
    """
+ → -; * x → * y; axis=0 → axis=1; (x) → (y); (A) → (B); (A) → (A.T); .mean( → .sum(;
.sum( → .mean(; sigmoid → np.tanh; .T @ →  @; (y) → (x); (u) → (0.5 * u); 0.5 → 0.25;
np.tanh → sigmoid; **2 → **3; np.exp → 1 + ; relu → np.abs; > → <; (s) → (x);
shape[0] → shape[1]; (B) → (A); (t) → (2 * t); - ( → + (; (B.T) → (B); .max( → .mean(
""".replace("\n", " ")
    .strip()
    .split("; ")
)


def mutated(text, chance):
    """The text with one small thing changed."""
    changes = [change.split(" → ") for change in CHANGES]
    chance.shuffle(changes)
    for old, new in changes:
        spots = [k for k in range(len(text)) if text.startswith(old, k)]
        if spots:
            spot = chance.choice(spots)
            return text[:spot] + new + text[spot + len(old) :]
    return text


def function(text):
    return eval(f"lambda x, y, A, B, u, t, s: {text}", dict(SPACE))


def proof_of(kind, one, other):
    f, g = function(one), function(other)

    def forward(
        w, x: "n d", y: "n d", A: "d d", B: "d d", u: "d", t: "n, positive", s: "n d, positive"
    ):
        value = f(x, y, A, B, u, t, s)
        return np.sum(w * value)

    def backward(x, y, A, B, u, t, s):
        dl_dw = g(x, y, A, B, u, t, s)
        return {"dl_dw": dl_dw}

    shape = {"matrix": "n d", "square": "d d", "row": "d", "column": "n"}[kind]
    traced, _ = read(Source("formulas", forward, backward), {"w": shape}, {})
    return prove(traced.paper, traced.derivation)["w"]


def differ(one, other, seed):
    """Whether two formulas clearly differ at some data, at some sizes."""
    random = np.random.default_rng(seed)
    f, g = function(one), function(other)
    for n, d in ((2, 2), (3, 5), (6, 4)):
        x, y = random.normal(size=(2, n, d))
        A, B = random.normal(size=(2, d, d))
        u, t = random.normal(size=d), random.uniform(0.5, 2, n)
        s = random.uniform(0.5, 2, (n, d))
        with np.errstate(all="ignore"):
            a, b = f(x, y, A, B, u, t, s), g(x, y, A, B, u, t, s)
        if np.shape(a) != np.shape(b):
            return True
        usable = np.isfinite(a) & np.isfinite(b) & (np.abs(a) < 1e8)
        if np.any(np.abs(a - b)[usable] > 1e-5 * (1 + np.abs(a)[usable])):
            return True
    return False


@pytest.mark.parametrize("seed", range(150))
def test_a_mutant_that_differs_is_not_proved(seed):
    chance = Random(seed)
    kind = chance.choice(["matrix", "matrix", "square", "row", "column"])
    one = grown(kind, chance, chance.choice([1, 2, 3]))
    other = mutated(one, chance)
    try:
        proof = proof_of(kind, one, other)
    except gp.GradproofError:
        return  # a mutant of another shape, or one that is not in the dictionary
    if differ(one, other, seed):
        assert not proof.chain
        assert not proof.own


@pytest.mark.parametrize("seed", range(60))
def test_an_equal_formula_is_proved(seed):
    chance = Random(seed)
    left, right = EQUAL[seed % len(EQUAL)]
    a, b = grown("matrix", chance, 1), grown("matrix", chance, 1)
    one, other = left.format(a=a, b=b), right.format(a=a, b=b)
    shape = np.shape(
        function(one)(*(np.ones(z) for z in ((2, 3), (2, 3), (3, 3), (3, 3), 3, 2, (2, 3))))
    )
    kind = {(2, 3): "matrix", (3,): "row", (2,): "column", (3, 3): "square"}[shape]
    assert not differ(one, other, seed)
    assert proof_of(kind, one, other).chain
