"""Every exception of gradproof: what went wrong, where, why, and what to try."""

from __future__ import annotations

from dataclasses import dataclass

from gradproof.core.told import Said


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the user's own source."""

    file: str
    line: int
    text: str


class GradproofError(Exception):
    """The call or the input is wrong. The command line prints it and exits with 2."""

    def __init__(self, why: str, *, advice: str = "", place: Place | None = None) -> None:
        self.why = why
        self.advice = advice
        self.place = place
        super().__init__(str(self.said))

    @property
    def said(self) -> Said:
        """The whole message, which can be said in another language."""
        place = self.place
        head = f"{place.file}:{place.line}  {place.text}\n" if place else ""
        template = "{head}{why}" + ("  {advice}" if self.advice else "")
        return Said(template, {"head": head, "why": self.why, "advice": self.advice})


class ShapeError(GradproofError):
    """Shapes that do not meet, or that are not what was promised."""


class ClaimShape(ShapeError):
    """A claim, by its variable's name, that does not have the shape of its tensor."""

    def __init__(
        self,
        why: str,
        *,
        advice: str = "",
        place: Place | None = None,
        claim: str = "",
        of: str = "",
    ) -> None:
        super().__init__(why, advice=advice, place=place)
        self.claim = claim
        self.of = of


class UnknownName(GradproofError):
    """A name that the network does not have."""


class DataError(GradproofError):
    """Data that no gradient can be checked on: NaN, infinity, integers, wrong shapes."""


class NetworkError(GradproofError):
    """A file or function that is not a network."""


class EngineError(GradproofError):
    """An engine that is not installed, or that failed."""


class WitnessError(GradproofError):
    """A derived gradient that an independent witness contradicts: a mistake of gradproof."""


class NotYet(GradproofError):
    """Something that gradproof does not do yet."""


class Never(GradproofError):
    """Something that has no single formula, such as a branch on data."""
