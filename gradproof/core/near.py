"""Which known name a misspelt one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from gradproof.core.told import told

ALIKE = 0.75
"""The share of letters in common from which a name looks like another."""


def meant(wrong: str, known: Iterable[str]) -> str:
    """The question whether a known name that looks like this one was meant; empty without one.

    >>> meant("sigmiod", ["relu", "sigmoid", "tanh"])
    'Did you mean sigmoid?'
    """
    names = get_close_matches(wrong, [name for name in known if name != wrong], 1, ALIKE)
    return told("Did you mean {name}?", name=names[0]) if names else ""
