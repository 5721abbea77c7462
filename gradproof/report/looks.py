"""How a page is written: samples in rows or columns, how gradients are called and lie, layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

from gradproof.core.program import Derivation
from gradproof.core.told import Said
from gradproof.ink.terminal import name_text
from gradproof.write.layers import NONE, Layers, layers_of, raised_name

T = TypeVar("T")

SUPERSCRIPT = "superscript"


@dataclass(frozen=True, slots=True)
class Looks:
    """What `derive` lets a reader choose: the words are those of its options."""

    vectors: str = "row"
    style: str = "matrix"
    gradient: str = "partial"
    layout: str = "gradient"
    layers: str = "subscript"
    one: str = ""

    @property
    def as_in_code(self) -> bool:
        """Whether tensors and gradients lie as they do in code."""
        return self.vectors == "row" and self.layout == "gradient"


def raises(derivation: Derivation, looks: Looks) -> Layers:
    """The layers whose numbers are raised."""
    return layers_of(derivation) if looks.layers == SUPERSCRIPT else NONE


def renaming(
    gradients: Mapping[str, str], signed: Mapping[str, str], layers: Layers
) -> Callable[[str], str]:
    """What changes the names in a sentence to those of a page.

    Args:
        gradients: the names of gradients in sentences, by tensor.
        signed: the same on the page.
        layers: whose numbers are raised.
    """
    called = {name: name_text(raised_name(signed[of], layers)) for of, name in gradients.items()}
    # Without a number a name may be a word: only those of layers stand for themselves.
    called |= {of: name_text(raised_name(of, layers)) for of in gradients}
    changed = {name: new for name, new in called.items() if name != new}
    if not changed:
        return str
    names = "|".join(re.escape(one) for one in sorted(changed, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w∂/])(?:{names})(?![\w\[])")
    return lambda text: pattern.sub(lambda match: changed[match[0]], text)


def renamed(value: T, rename: Callable[[str], str]) -> T:
    """Sentences, or data that holds some, with the names of a page."""
    return value if rename is str else _again(value, rename)  # type: ignore[return-value]


def _again(value: object, rename: Callable[[str], str]) -> object:
    match value:
        case Said():
            texts = {name: _again(text, rename) for name, text in value.texts.items()}
            return Said(rename(value.template), texts, rename(str(value)))  # type: ignore[arg-type]
        case str():
            return rename(value)
        case tuple() | list():
            return type(value)(_again(one, rename) for one in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            mine = {one.name: getattr(value, one.name) for one in fields(value)}
            return replace(value, **{name: _again(one, rename) for name, one in mine.items()})
        case _:
            return value
