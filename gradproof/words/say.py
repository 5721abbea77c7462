"""An English sentence with slots to the sentence of another language, filled in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import TypeVar

from gradproof.core.errors import DataError
from gradproof.core.told import Said, filled, told, told_list

T = TypeVar("T")

ENGLISH = "en"

LANGUAGES = (ENGLISH, "zh")
"""The languages that there are sentences in; each but English has files ``<language>/*.toml``."""

VARIABLE = "GRADPROOF_LANG"
"""The environment variable with the language of a reader who does not ask for one."""


def language(asked: str | None = None) -> str:
    """The language that is asked for, or else the environment's, or English.

    Raises:
        DataError: there is no such language.
    """
    lang = asked or os.environ.get(VARIABLE) or ENGLISH
    _sentences(lang)
    return lang


def say(template: str, lang: str = ENGLISH, **values: object) -> str:
    """The sentence in a language, with its slots filled in.

    The English template is the key, so that code reads as what it says; a sentence that a language
    lacks is said in English. What is said is a whole sentence: none is glued from pieces.

    Args:
        template: an English sentence, with slots such as ``{target}``.
        lang: one of `LANGUAGES`.
        values: what stands in the slots; sentences that were told are said in the language too.

    Raises:
        DataError: there is no such language.

    >>> say("{claim} is proved.", claim="dl_dW2")
    'dl_dW2 is proved.'
    """
    return in_language(told(template, **values), lang)


AND = "{before} and {last}"
"""The template of a list's end."""

AROUND_AND = re.compile("(?<=[一-鿿]) 和(?: (?=[一-鿿]))?|和 (?=[一-鿿])")
"""The Chinese word for *and* beside a Chinese character, from which no space parts it."""


def in_language(value: T, lang: str) -> T:
    """The value with each sentence in it that was told, in a language; all else is left as it is.

    Args:
        value: a sentence, or frozen data that holds some, however deep.
        lang: one of `LANGUAGES`.

    Raises:
        DataError: there is no such language.
    """
    known = _sentences(lang)
    return value if lang == ENGLISH else _again(value, known)  # type: ignore[return-value]


def _again(value: object, known: Mapping[str, str]) -> object:
    match value:
        case Said():
            texts = {name: str(_again(text, known)) for name, text in value.texts.items()}
            said = filled(known.get(value.template, value.template), texts)
            return AROUND_AND.sub("和", said) if value.template == AND else said
        case tuple() | list():
            return type(value)(_again(one, known) for one in value)
        case dict():
            return {key: _again(one, known) for key, one in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            mine = {field.name: getattr(value, field.name) for field in fields(value)}
            new = {name: _again(one, known) for name, one in mine.items()}
            return replace(value, **{n: one for n, one in new.items() if one is not mine[n]})
        case _:
            return value


def sentence(template: str) -> str:
    """Marks a template that is kept in a constant or a table, and is said elsewhere.

    The tests find templates by the calls of `say` and of this.
    """
    return template


def listed(parts: Sequence[str], lang: str = ENGLISH) -> str:
    """Names one after another, ``a, b and c``, as a language has it.

    >>> listed(["z1", "z2", "z3"])
    'z1, z2 and z3'
    """
    return in_language(told_list(parts), lang)


def translations(lang: str) -> Mapping[str, Mapping[str, str]]:
    """The tables of a language's files; each holds the sentences of one part of gradproof."""
    # Not at the top: English needs neither, and every command starts with this file.
    import tomllib
    from importlib.resources import files

    room = files("gradproof.words").joinpath(lang)
    return {
        f"{path.name}, {title}": table
        for path in sorted(room.iterdir(), key=lambda path: path.name)
        for title, table in tomllib.loads(path.read_text(encoding="utf-8")).items()
    }


@cache
def _sentences(lang: str) -> Mapping[str, str]:
    if lang not in LANGUAGES:
        raise DataError(f"The language is one of {', '.join(LANGUAGES)}, not {lang}.")
    if lang == ENGLISH:
        return {}
    return {key: value for table in translations(lang).values() for key, value in table.items()}
