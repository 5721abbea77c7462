"""What an audit of gradient tests found, as plain data, and as the page that a terminal shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rich.text import Text

from gradproof.audit.change import CHANGES
from gradproof.core.told import told_list
from gradproof.report.table import Column, Row, Table, lay_out, wrapped
from gradproof.words import say, sentence
from gradproof.words.say import ENGLISH

Outcome = Literal["caught", "passes", "equal"]

SIGNS: dict[Outcome, tuple[str, str]] = {
    "caught": ("✓", "green"),
    "passes": ("✗", "bold red"),
    "equal": ("=", "dim"),
}


@dataclass(frozen=True, slots=True)
class Tried:
    """One gradient made wrong in one way, and what the tests made of it: ``by`` is the first test
    that failed; ``equal`` is what made no difference in any of their calls. ``tolerated`` says that
    a comparison with a tolerance was made with it, and passed."""

    of: str
    change: str
    outcome: Outcome
    by: str = ""
    tolerated: bool = False


@dataclass(frozen=True, slots=True)
class Audited:
    """One function: its name, where its backward pass is, the tests that run it, and what was tried
    on it."""

    name: str
    place: str
    tests: tuple[str, ...]
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class AuditReport:
    """Every function that was found; ``left_out`` are tests that fail as they are."""

    functions: tuple[Audited, ...]
    left_out: tuple[str, ...] = ()

    @property
    def passing(self) -> tuple[tuple[Audited, Tried], ...]:
        """The wrong gradients that all tests let pass."""
        return tuple((f, t) for f in self.functions for t in f.tried if t.outcome == "passes")

    @property
    def exit_code(self) -> int:
        """0 every wrong gradient is caught, 1 some pass, 2 there was nothing to audit."""
        if not any(one.tried for one in self.functions):
            return 2
        return 1 if self.passing else 0

    def lines(self, width: int, lang: str = ENGLISH) -> Iterator[Text]:
        """The whole page, as a terminal of this width shows it."""
        if not self.functions:
            said = say(
                "gradproof audit: no test that passes runs a backward pass of the project's own. "
                "Name one: --gradproof-audit-of package.module:name",
                lang,
            )
            yield from wrapped(Text(said, "yellow"), width)
        for one in self.functions:
            yield from _function(one, width, lang)
            yield Text()
        if self.left_out:
            said = say(
                "Left out, because they fail as they are: {tests}",
                lang,
                tests=told_list(list(self.left_out)),
            )
            yield from wrapped(Text(said, "yellow"), width)
        total = sum(t.outcome != "equal" for f in self.functions for t in f.tried)
        if total:
            said = say(
                "{caught} of {total} wrong gradients are caught by these tests.",
                lang,
                caught=total - len(self.passing),
                total=total,
            )
            yield from wrapped(Text(said, style="bold"), width)


def _function(one: Audited, width: int, lang: str) -> Iterator[Text]:
    place = f" ({one.place})" if one.place else ""
    yield Text(one.name, style="bold").append(place, "not bold dim")
    tests = say("run by {tests}", lang, tests=told_list(list(one.tests)))
    yield from wrapped(Text(tests, "dim"), width)
    if not one.tried:
        said = say(
            "Nothing was replaced: it returns no gradient, and sets no attribute that is called as "
            "the gradient of another one of the same shape, such as dW, grad_W, W_grad, W.grad or "
            "grads['W'].",
            lang,
        )
        yield from wrapped(Text(said, "yellow"), width)
        return
    names = [change.name for change in CHANGES if any(t.change == change.name for t in one.tried)]
    columns = (Column(say("gradient", lang)), *(Column(say(name, lang)) for name in names))
    rows = []
    for of in dict.fromkeys(t.of for t in one.tried):
        found = {t.change: t for t in one.tried if t.of == of}
        cells = [
            Text(*SIGNS[found[name].outcome]) if name in found else Text("·", "dim")
            for name in names
        ]
        rows.append(Row((Text(f"∂l/∂{of}"), *cells)))
    title = say("✓ caught, ✗ passes all tests, = no difference, · does not apply", lang)
    yield from lay_out(Table(title, columns, tuple(rows)), width)
    words = {change.name: change.words for change in CHANGES}
    for of in dict.fromkeys(t.of for t in one.tried if t.outcome == "passes"):
        passing = [t for t in one.tried if t.of == of and t.outcome == "passes"]
        loose = [words[t.change] for t in passing if t.tolerated]
        unseen = [words[t.change] for t in passing if not t.tolerated]
        for template, wrong in ((TOLERATED, loose), (UNSEEN, unseen)):
            if wrong:
                said = say(template, lang, input=of, wrong=told_list(wrong))
                yield from wrapped(Text(said, "red"), width, indent=2)


TOLERATED = sentence("✗ For {input} your tolerance accepts {wrong}.")
UNSEEN = sentence("✗ For {input} the tests accept {wrong}.")
