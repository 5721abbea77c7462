"""A network to the source file of its derived backward pass: the verb `export`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gradproof.code.network import export as write_source
from gradproof.trace.source import Source
from gradproof.workbench import name_of, read


def export(
    forward: Callable[..., Any],
    to: str,
    inputs: Mapping[str, Any] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    vjp: bool = False,
) -> str:
    """A source file with the loss of `forward` and its derived gradients, for a framework.

    Run as a program, the file checks its own gradients against bounds that are derived.

    Args:
        forward: the network, written as NumPy code; it returns a scalar.
        to: ``"numpy"``, ``"torch"``, ``"jax"`` or ``"tensorflow"``; none of them is imported.
        inputs: arrays or shapes for parameters without annotation.
        sizes: numbers for size symbols, for code that asks for a size and for the file's check.
        vjp: whether the value that the loss is taken of is exported in its place, with a backward
            function that is given its gradient.

    Raises:
        NotYet: an equation has no code yet; the message names the line.
        GradproofError: `forward` is not a network; the message names the line.
    """
    source = Source(name_of(forward), forward)
    command = f"gradproof.export({source.name}, to={to!r}{', vjp=True' if vjp else ''})"
    return export_source(source, to, inputs or {}, sizes or {}, command, vjp=vjp)


def export_source(
    source: Source,
    to: str,
    inputs: Mapping[str, Any],
    sizes: Mapping[str, int],
    command: str,
    *,
    vjp: bool,
) -> str:
    """`export` for a paper; `command` is how the file is written again."""
    traced, chosen = read(replace(source, backward=None), inputs, sizes)
    return write_source(
        source.name,
        traced.paper,
        traced.signature,
        chosen,
        traced.layout,
        to,
        command,
        vjp=vjp,
    )
