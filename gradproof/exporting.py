"""A network to source: the file of its derived backward pass, `export`; and a page's lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gradproof.code.network import export as write_source
from gradproof.code.second_file import export_second
from gradproof.code.snippet import snippets
from gradproof.core.errors import DataError
from gradproof.core.told import told
from gradproof.report.document import Document
from gradproof.trace.source import Source
from gradproof.workbench import name_of, read


def export(
    forward: Callable[..., Any],
    to: str,
    inputs: Mapping[str, Any] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    vjp: bool = False,
    order: int = 1,
    along: Sequence[str] = (),
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
        order: with 2 the file has the loss and its Hessian times a direction.
        along: with order 2 the inputs that move; all that have a gradient, if none are given.

    Raises:
        NotYet: an equation has no code yet; the message names the line.
        GradproofError: `forward` is not a network; the message names the line.
    """
    source = Source(name_of(forward), forward)
    more = ", vjp=True" if vjp else ""
    more += f", order={order}" if order != 1 else ""
    more += f", along={list(along)}" if along else ""
    command = f"gradproof.export({source.name}, to={to!r}{more})"
    return export_source(
        source, to, inputs or {}, sizes or {}, command, vjp=vjp, order=order, along=along
    )


def export_source(
    source: Source,
    to: str,
    inputs: Mapping[str, Any],
    sizes: Mapping[str, int],
    command: str,
    *,
    vjp: bool,
    order: int = 1,
    along: Sequence[str] = (),
) -> str:
    """`export` for a paper; `command` is how the file is written again."""
    check_order(order, along, vjp=vjp)
    traced, chosen = read(replace(source, backward=None), inputs, sizes)
    if order == 2:
        return export_second(
            source.name,
            traced.paper,
            traced.signature,
            chosen,
            traced.layout,
            to,
            command,
            along,
        )
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


def with_numpy(
    document: Document,
    source: Source,
    inputs: Mapping[str, Any],
    sizes: Mapping[str, int],
    one: str = "",
) -> Document:
    """The document with the NumPy lines of each gradient, to be copied.

    Args:
        document: of the source.
        source: the network.
        inputs: as `document_source` had them.
        sizes: as `document_source` had them.
        one: the size symbol that is 1 there, if any.
    """
    traced, _ = read(replace(source, backward=None), inputs, sizes, one)
    cards = document.gradients
    made = snippets(traced.paper, traced.layout, [card.members or (card.name,) for card in cards])
    found = tuple(
        replace(card, numpy=one.text, no_numpy=one.why_not)
        for card, one in zip(cards, made, strict=True)
    )
    return replace(document, gradients=found)


def check_order(order: int, along: Sequence[str], *, vjp: bool) -> None:
    """That what is asked for goes together.

    Raises:
        DataError: it does not.
    """
    if order not in (1, 2):
        raise DataError(
            told("Code is written of order 1 or 2, not {order}.", order=order),
        )
    if along and order == 1:
        raise DataError(
            told("Inputs move in the second order only."), advice=told("Add --order 2.")
        )
    if vjp and order == 2:
        raise DataError(
            told("A layer has no Hessian product before its loss is known."),
            advice=told("Leave --vjp out."),
        )
