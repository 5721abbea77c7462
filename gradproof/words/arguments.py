"""What argparse says by itself, in a language: usage, titles, and what is wrong with a call."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn
from unicodedata import east_asian_width

from gradproof.core.near import meant
from gradproof.words.say import ENGLISH, in_language, say, sentence

USAGE = sentence("usage: ")
WRONG = sentence("{program}: error: {message}")
ABOUT = sentence("argument {name}: {message}")

MESSAGES = {
    r"the following arguments are required: (?P<names>.*)": sentence(
        "the following arguments are required: {names}"
    ),
    r"unrecognized arguments: (?P<names>.*)": sentence("unrecognized arguments: {names}"),
    r"invalid choice: (?P<value>.*?) \(choose from (?P<choices>.*)\)": sentence(
        "invalid choice: {value} (choose from {choices})"
    ),
    r"invalid (?P<kind>\w+) value: (?P<value>.*)": sentence("invalid {kind} value: {value}"),
    r"expected one argument": sentence("expected one argument"),
    r"expected at least one argument": sentence("expected at least one argument"),
    r"expected (?P<count>\d+) arguments": sentence("expected {count} arguments"),
    r"ambiguous option: (?P<option>.*?) could match (?P<matches>.*)": sentence(
        "ambiguous option: {option} could match {matches}"
    ),
    r"ignored explicit argument (?P<value>.*)": sentence("ignored explicit argument {value}"),
}
"""What argparse finds wrong, as patterns, with what is said of it."""


class Formatter(argparse.HelpFormatter):
    """Help whose usage begins in a language."""

    def __init__(self, prog: str, *, lang: str, **how: Any) -> None:
        super().__init__(prog, **how)
        self.lang = lang

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        """The usage, after its word."""
        word = say(USAGE, self.lang) if prefix is None else prefix
        super().add_usage(usage, actions, groups, word)

    def _format_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any) -> str:
        wider = " " * (cells(prefix or "") - len(prefix or ""))
        self._width -= len(wider)
        first, *others = super()._format_usage(usage, actions, groups, prefix).splitlines(True)
        self._width += len(wider)
        return first + "".join(wider + line if line.startswith(" ") else line for line in others)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrapped(text, width - len(indent)))


CLOSING = "，。、；：）！？”》,.;:)"
"""What no line begins with."""


def cells(text: str) -> int:
    """The columns of a text in a terminal, where a Chinese character has two."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many columns; a line may end after any Chinese character."""
    lines, line = [], ""
    for piece in re.findall(rf"[ \t\n]+|[^\u2e80-\uffff\s]+|[\u2e80-\uffff][{CLOSING}]*", text):
        if piece.isspace():
            line += " " if line else ""
        elif line and cells(line.rstrip() if piece in CLOSING else line) + cells(piece) > width:
            lines.append(line.rstrip())
            line = piece
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


class Parser(argparse.ArgumentParser):
    """A parser that speaks a language; commands below it are parsers of the same one."""

    def __init__(self, *, lang: str = ENGLISH, **how: Any) -> None:
        super().__init__(**how, add_help=False, formatter_class=partial(Formatter, lang=lang))
        self.lang = lang
        self.given: tuple[str, ...] = ()
        self._positionals.title = say("positional arguments", lang)
        self._optionals.title = say("options", lang)
        self.add_argument(
            "-h", "--help", action="help", help=say("show this help message and exit", lang)
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reads a call; what a command does not know is wrong with the command, not with what
        stands before it."""
        self.given = tuple(sys.argv[1:] if args is None else args)
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return found, left

    def error(self, message: str) -> NoReturn:
        """Says what is wrong with a call, below its usage, and ends with 2."""
        self.print_usage(sys.stderr)
        said = in_words(message, self.lang)
        asked = in_language(self._meant(message), self.lang)
        said = f"{said}  {asked}" if asked else said
        self.exit(2, say(WRONG, self.lang, program=self.prog, message=said) + "\n")

    def _meant(self, message: str) -> str:
        """Which choice or option a misspelt one looks like."""
        choice = re.search(
            r"invalid choice: '(?P<value>.*?)' \(choose from (?P<choices>.*)\)", message
        )
        if choice is not None:
            return meant(choice["value"], re.findall(r"[\w.-]+", choice["choices"]))
        known = list(self._option_string_actions)
        written = (word.partition("=")[0] for word in self.given if word.startswith("--"))
        asked = (meant(w, known) for w in written if not any(one.startswith(w) for one in known))
        return next(filter(None, asked), "")


def in_words(message: str, lang: str) -> str:
    """A message of argparse's in a language; one that is not known stays English."""
    about = re.fullmatch(r"argument (?P<name>.*?): (?P<message>.*)", message, re.DOTALL)
    if about is not None:
        said = in_words(about["message"], lang)
        return say(ABOUT, lang, name=about["name"], message=said)
    for pattern, template in MESSAGES.items():
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found is not None:
            return say(template, lang, **found.groupdict())
    return message
