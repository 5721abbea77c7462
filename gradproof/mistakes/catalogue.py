"""All mistakes. Their order is the order in which they are named where several are the same."""

from __future__ import annotations

from gradproof.mistakes.arrangement import ARRANGEMENT
from gradproof.mistakes.constants import CONSTANTS
from gradproof.mistakes.elements import ELEMENTS
from gradproof.mistakes.factors import FACTORS
from gradproof.mistakes.readings import READINGS
from gradproof.mistakes.record import Mistake
from gradproof.mistakes.sums import SUMS
from gradproof.mistakes.windows import WINDOWS

MISTAKES: tuple[Mistake, ...] = (
    *CONSTANTS,
    *READINGS,
    *FACTORS,
    *SUMS,
    *WINDOWS,
    *ARRANGEMENT,
    *ELEMENTS,
)
