"""What a function under test names inside, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradproof.core.errors import Place
from gradproof.core.told import told, told_list, told_sentence
from gradproof.judge.box import Finding
from gradproof.report.observation import Observation


@dataclass(frozen=True, slots=True)
class Node:
    """A tensor that the function gives a name: the paper's ``symbol``, called ``name`` in a
    ``function``, last at ``place``."""

    symbol: str
    name: str
    function: str
    place: Place | None
    finding: Finding

    @property
    def line(self) -> str:
        """The file and the line of the place, or nothing."""
        return f"{self.place.file}:{self.place.line}" if self.place else ""

    @property
    def where(self) -> str:
        """The function, and the line with its text where it is known."""
        code = f" ({self.line}: `{self.place.text}`)" if self.place else ""
        return f"{self.function}{code}"


def where(node: Node, agreeing: Sequence[Node]) -> Observation:
    """The sentence that says where something wrong begins.

    Args:
        node: the first that differs.
        agreeing: those before it that agree.
    """
    f = node.finding
    at = f"[{', '.join(map(str, f.worst))}]" if f.worst else ""
    text = told(
        "Where: {symbol} is the first of the named tensors that is wrong. It is {name} in {place}",
        symbol=node.symbol,
        name=node.name,
        place=node.where,
    )
    if np.isfinite(f.true):
        text = told(
            "{text}; {element} = {value:.6g}, true {true:.6g}",
            text=text,
            element=f"{node.symbol}{at}",
            value=f.value,
            true=f.true,
        )
    else:
        text = told("{text}; {because}", text=text, because=f.because)
    if agreeing:
        names = told_list([one.symbol for one in agreeing])
        text = told("{text}. Right before it: {names}", text=text, names=names)
    return Observation("note", told_sentence(text))


def lost(node: Node) -> Observation:
    """The sentence about a gradient that is right inside, and wrong as it is returned."""
    return Observation(
        "note",
        told(
            "{symbol} is right as {name} in {place}, and wrong as it comes back.",
            symbol=node.symbol,
            name=node.name,
            place=node.where,
        ),
    )
