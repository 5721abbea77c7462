"""The steps of a large page to a short string, which the page unpacks when they are unfolded.

MathML repeats itself: packed it needs little room, and a page with the steps of hundreds of
gradients opens as fast as one without them.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict

from gradproof.report.document import Card, StepByStep


def pack(cards: Sequence[Card], markup: Callable[[StepByStep], str]) -> str:
    """The steps of all cards in base64, as the page shows them and as data.

    Args:
        cards: those of gradients; some have no steps.
        markup: the HTML of a card's steps.
    """
    found = {card.key: card.steps for card in cards if card.steps is not None}
    whole = {
        "looks": {key: markup(steps) for key, steps in found.items()},
        "steps": {key: _bare(asdict(steps)) for key, steps in found.items()},
    }
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _bare(value: object) -> object:
    """Data without what it has for the eye alone."""
    match value:
        case dict():
            return {k: _bare(v) for k, v in value.items() if k not in ("mathml", "look")}
        case list() | tuple():
            return [_bare(one) for one in value]
        case _:
            return value
