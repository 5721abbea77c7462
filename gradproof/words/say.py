"""An English sentence with slots to the sentence of another language, filled in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from gradproof.core.errors import DataError

ENGLISH = "en"

LANGUAGES = (ENGLISH, "zh")
"""The languages that there are sentences in; each but English has a file ``<language>.toml``."""


def say(template: str, lang: str = ENGLISH, **values: object) -> str:
    """The sentence in a language, with its slots filled in.

    The English template is the key, so that code reads as what it says; a sentence that a language
    lacks is said in English. What is said is a whole sentence: none is glued from pieces.

    Args:
        template: an English sentence, with slots such as ``{target}``.
        lang: one of `LANGUAGES`.
        values: what stands in the slots.

    Raises:
        DataError: there is no such language.

    >>> say("{claim} is proved.", claim="dl_dW2")
    'dl_dW2 is proved.'
    """
    return _sentences(lang).get(template, template).format(**values)


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
    if len(parts) < 2:
        return "".join(parts)
    *others, last = parts
    head = others[0]
    for part in others[1:]:
        head = say("{before}, {next}", lang, before=head, next=part)
    return say("{before} and {last}", lang, before=head, last=last)


def translations(lang: str) -> Mapping[str, Mapping[str, str]]:
    """The tables of a language's file; each holds the sentences of one part of gradproof."""
    text = files("gradproof.words").joinpath(f"{lang}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _sentences(lang: str) -> Mapping[str, str]:
    if lang not in LANGUAGES:
        raise DataError(f"The language is one of {', '.join(LANGUAGES)}, not {lang}.")
    if lang == ENGLISH:
        return {}
    return {key: value for table in translations(lang).values() for key, value in table.items()}
