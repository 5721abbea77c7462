"""What the page of one network shows, as plain data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from gradproof.core.errors import Place
from gradproof.judge.verdict import EngineVerdict, FormulaVerdict


@dataclass(frozen=True, slots=True)
class Formula:
    """An equation in every form in which it is shown or copied, and for which t it holds."""

    text: str
    latex: str
    mathml: str
    range: str = ""


@dataclass(frozen=True, slots=True)
class Corner:
    """The first rows and columns of a tensor, as text, and whether there are more."""

    rows: tuple[tuple[str, ...], ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Heat:
    """How much of its bound each element of a tensor uses, in rows; ``cells`` is how many elements
    of the tensor one square stands for, along both axes."""

    shares: tuple[tuple[float, ...], ...]
    cells: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One engine's numbers for one tensor, and what is known of them."""

    engine: str
    verdict: EngineVerdict
    native: EngineVerdict | None
    numbers: Corner
    heat: Heat | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One tensor on one set of data: the verdicts, and the numbers of all parties.

    ``hand`` is what the user's function returns on plain arrays, ``true`` the certified value.
    """

    data: str
    tensor: str
    formula: FormulaVerdict | None
    why: tuple[str, ...]
    hand: Corner | None
    true: Corner | None
    engines: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and the same with its formulas in MathML."""

    text: str
    look: str


@dataclass(frozen=True, slots=True)
class StepLine:
    """One line of a gradient's steps; ``mathml`` is its left and its right side, the left one empty
    where it goes on from the line above. ``proved`` says how, and is empty where it is not."""

    text: str
    latex: str
    mathml: tuple[str, str]
    reason: Sentence
    proved: str


@dataclass(frozen=True, slots=True)
class StepWay:
    """One way from a tensor to the loss."""

    title: Sentence
    range: str
    lines: tuple[StepLine, ...]


@dataclass(frozen=True, slots=True)
class StepByStep:
    """How a gradient is found: its ways, what they add up to, and what that assumes."""

    intro: Sentence
    ways: tuple[StepWay, ...]
    closing: tuple[StepLine, ...]
    assumptions: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One line of the page: a tensor, or all turns of a loop.

    ``name`` is that of the tensor itself and ``called`` what the page calls it; ``symbol`` is what
    the line is about: the tensor, or its gradient. ``feeds`` are the keys of the cards whose values
    the forward equation reads. ``steps`` say how a gradient is found; a large page has none.
    ``numpy`` are the lines that compute a gradient; where it has none, ``no_numpy`` says why.
    """

    key: str
    name: str
    symbol: str
    look: str
    shape: str
    members: tuple[str, ...]
    formulas: tuple[Formula, ...]
    yours: tuple[Formula, ...]
    place: Place | None
    feeds: tuple[str, ...]
    trials: tuple[Trial, ...]
    steps: StepByStep | None = None
    called: str = ""
    numpy: str = ""
    no_numpy: str = ""

    @property
    def kind(self) -> str:
        """The worst verdict of the card; ``derived`` only where nothing else was said."""
        return worst(kinds(self))

    @property
    def inherited(self) -> bool:
        """Whether what is wrong here is wrong because of an earlier mistake."""
        bad = [t.formula for t in self.trials if t.formula and t.formula.kind == "refuted"]
        return bool(bad) and all(one.inherited for one in bad)


@dataclass(frozen=True, slots=True)
class Leaf:
    """An input of the network: its shape, and whether it is only data."""

    key: str
    name: str
    look: str
    shape: str
    role: str
    called: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The user's own source: the file, its lines, and on which lines what stands."""

    file: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Apart:
    """A tensor that lies on the page in another way than in code: its shape in both, and what
    links them."""

    look: str
    text: str
    code: str
    page: str
    link: str


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that the page of one network shows.

    ``conventions`` say how it is written, where that is not as in code, and ``apart`` are the
    tensors that lie otherwise there.
    """

    network: str
    what: str
    engines: tuple[str, ...]
    dtype: str
    seed: int
    contracts: tuple[str, ...]
    versions: Mapping[str, str]
    data: tuple[str, ...]
    command: str
    leaves: tuple[Leaf, ...]
    forward: tuple[Card, ...]
    gradients: tuple[Card, ...]
    own: tuple[str, ...]
    starts: tuple[Sentence, ...]
    proofs: tuple[str, ...]
    programs: tuple[str, ...]
    notes: tuple[str, ...]
    listing: Listing | None
    exit_code: int
    conventions: tuple[str, ...] = ()
    apart: tuple[Apart, ...] = ()

    def to_json(self) -> str:
        """The document as JSON, infinities as strings."""
        return json.dumps(_plain(asdict(self)), ensure_ascii=False)


RANK = ("refuted", "undecided", "derived", "agrees", "proved")
"""Verdicts, the worst first."""


def worst(found: Iterable[str]) -> str:
    """The worst of some verdicts; one that is there only for want of a formula comes last."""
    listed = list(found)
    others = [kind for kind in listed if kind != "derived"]
    return min(others or listed or ["derived"], key=RANK.index)


def kinds(card: Card) -> list[str]:
    """Every verdict on a card."""
    found: list[str] = []
    for trial in card.trials:
        found += [trial.formula.kind] if trial.formula is not None else []
        for evidence in trial.engines:
            found.append(evidence.verdict.kind)
            found += [evidence.native.kind] if evidence.native is not None else []
    return found


def _plain(value: object) -> object:
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not np.isfinite(value):
            return str(value)
        case _:
            return value
