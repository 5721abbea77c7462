"""A network's file to what is known of it: its title, its source, and what its docstring says."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gradproof.core.index import Size
from gradproof.engines.engine import ENGINES
from gradproof.trace.signature import read_signature, tensors
from gradproof.trace.source import Source
from gradproof.words import sentence

SOURCE = sentence("Source")
FAMOUS = sentence("Famous for getting wrong")
WRONG = sentence("Wrong")
HIDES = sentence("Hides")
HEADINGS = (SOURCE, FAMOUS, WRONG, HIDES)
"""What a docstring says after its first sentence: one paragraph each, opened by the heading."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A network of the gallery as its list and its page show it.

    ``said`` are the paragraphs of the docstring by heading; ``own_layers`` the engines whose own
    layers compute the network, too.
    """

    name: str
    what: str
    said: Mapping[str, str]
    shapes: Mapping[str, tuple[Size, ...]]
    own_layers: tuple[str, ...]
    samples: tuple[str, ...]
    formulas: bool


def entry(source: Source, path: Path) -> Entry:
    """What is known of a network.

    Args:
        source: the network.
        path: its file.
    """
    what, said = read_docstring(path)
    return Entry(
        source.name,
        what,
        said,
        {tensor.name: tensor.shape for tensor in tensors(read_signature(source.forward))},
        tuple(name for name in ENGINES if name in source.native),
        tuple(source.samples),
        source.backward is not None,
    )


def read_docstring(path: Path) -> tuple[str, dict[str, str]]:
    """The first sentence of a file, and the paragraphs under `HEADINGS`, each on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first, _, rest = text.partition("\n\n")
    opened = re.split(rf"^({'|'.join(HEADINGS)}): ", rest, flags=re.M)[1:]
    paragraphs = zip(opened[::2], opened[1::2], strict=True)
    return _flat(first), {heading: _flat(said) for heading, said in paragraphs}


def _flat(text: str) -> str:
    return " ".join(text.split())
