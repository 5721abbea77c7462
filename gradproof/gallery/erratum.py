"""Published mistakes by name: what was published, what it breaks, and what hides it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from gradproof.core.errors import NetworkError
from gradproof.core.told import told
from gradproof.gallery import catalogue
from gradproof.gallery.entry import read_docstring
from gradproof.trace.source import Source


@dataclass(frozen=True, slots=True)
class Erratum:
    """A published mistake.

    ``said`` are the paragraphs of the docstring by heading; ``breaks`` maps the tensors whose
    gradients are wrong by themselves to names of mistakes; ``hiding`` are the titles of the data
    that hide it.
    """

    name: str
    what: str
    said: Mapping[str, str]
    breaks: Mapping[str, str]
    hiding: tuple[str, ...]
    source: Source


def erratum(name: str) -> Erratum:
    """A published mistake of the gallery.

    Raises:
        NetworkError: there is none with this name.
    """
    if name not in catalogue.errata():
        raise NetworkError(
            told("There is no published mistake called {name!r}.", name=name),
            advice=told("There are {names}.", names=", ".join(catalogue.errata())),
        )
    module = importlib.import_module(f"{catalogue.ERRATA}.{name}")
    source = catalogue.find(name)
    what, said = read_docstring(catalogue.path_of(name))
    return Erratum(name, what, said, module.BREAKS, tuple(source.samples), source)


def all_errata() -> tuple[Erratum, ...]:
    """Every published mistake, in the order of their names."""
    return tuple(erratum(name) for name in catalogue.errata())
