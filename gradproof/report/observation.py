"""Something that was seen of a function under test, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ObservationKind = Literal["fault", "undecided", "note"]


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that was seen of the function beside the numbers of its first calls."""

    kind: ObservationKind
    text: str
