"""A document to the graph of its network, laid out in layers from the inputs to the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import hypot

import graphlay

from gradproof.ink.latex import name_parts
from gradproof.report.document import Document

TALL = 34
LETTER = 11
"""Pixels: the height of a node, and what each character of its name adds to its width."""

BEND = 26.0
"""Pixels of a line on either side of a bend that are rounded."""

MARGIN = 12.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Node:
    """A tensor, or all turns of a loop, in the graph; ``gradient`` is the key of the card of its
    gradient, where it has one."""

    key: str
    name: str
    x: float
    y: float
    width: float
    role: str
    gradient: str
    loop: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """What one value is made of; ``back`` says that a gradient flows the other way."""

    source: str
    target: str
    points: tuple[Point, ...]
    back: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges, in pixels from the upper left corner."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


def graph(document: Document) -> Graph:
    """The forward graph of a document."""
    gradients = {feed: card.key for card in document.gradients for feed in card.feeds}
    names = {leaf.key: leaf.called for leaf in document.leaves}
    names |= {card.key: card.called for card in document.forward}
    families = _families(document, gradients)
    for family in families:
        names[family.keys[0]] = family.name
        for key in family.keys[1:]:
            del names[key]
    first = {key: family.keys[0] for family in families for key in family.keys}
    read = ((first.get(feed, feed), card.key) for card in document.forward for feed in card.feeds)
    ends = list(dict.fromkeys((source, target) for source, target in read if source != target))
    boxes = graphlay.Graph()
    for key, name in names.items():
        boxes.node(key, width=_width(name), height=TALL)
    for source, target in ends:
        boxes.edge(source, target)
    laid = graphlay.layout(boxes, options={"routing": {"style": "diagonal"}})
    low, high = laid.bounds["min"], laid.bounds["max"]
    places = {
        key: (x - low["x"] + MARGIN, y - low["y"] + MARGIN)
        for key, (x, y) in laid.positions().items()
    }
    roles = {leaf.key: leaf.role for leaf in document.leaves}
    loops = {card.key for card in document.forward if card.key in card.feeds}
    nodes = tuple(
        Node(
            key,
            name,
            *places[key],
            _width(name),
            roles.get(key, "value"),
            gradients.get(key, ""),
            key in loops,
        )
        for key, name in names.items()
    )
    edges = tuple(
        Edge(
            source,
            target,
            tuple((p["x"] - low["x"] + MARGIN, p["y"] - low["y"] + MARGIN) for p in edge["points"]),
            source in gradients,
        )
        for (source, target), edge in zip(ends, laid.edges, strict=True)
    )
    return Graph(nodes, edges, high["x"] - low["x"] + 2 * MARGIN, high["y"] - low["y"] + 2 * MARGIN)


@dataclass(frozen=True, slots=True)
class _Family:
    """Inputs that stand in one node."""

    name: str
    keys: tuple[str, ...]


def _families(document: Document, gradients: Mapping[str, str]) -> list[_Family]:
    """The inputs ``W[1], W[2], …`` that the turns of one loop read, if their gradients stand in one
    card: they are one node, ``W[t]``, as the loop is. Each for itself would be a column of
    hundreds, with lines from all to one node, which take minutes to lay out."""
    readers: dict[str, list[str]] = {}
    for card in document.forward:
        for feed in card.feeds:
            readers.setdefault(feed, []).append(card.key)
    loops = {card.key for card in document.forward if card.members}
    found: dict[tuple[str, ...], list[str]] = {}
    for leaf in document.leaves:
        stem, bracket, _ = leaf.name.partition("[")
        mine = tuple(readers.get(leaf.key, ()))
        if bracket and mine and loops.issuperset(mine):
            alike = (stem, leaf.role, gradients.get(leaf.key, ""), *mine)
            found.setdefault(alike, []).append(leaf.key)
    return [_Family(f"{of[0]}[t]", tuple(keys)) for of, keys in found.items() if len(keys) > 1]


def _width(name: str) -> float:
    parts = name_parts(name)
    letters = float(len(name))
    if parts is not None:
        letters = len(parts.stem) + 0.7 * len("".join((*parts.subscripts, parts.layer)))
        letters += 0.7 if parts.layer else 0
    return max(46.0, 24 + LETTER * letters)


def path(points: Sequence[Point], aside: float, *, backwards: bool = False) -> str:
    """An edge as the ``d`` of an SVG path, moved so far to the left of its own direction.

    What leads straight on is bent, so that edges leave and meet nodes level; other bends are
    rounded.
    """
    beside = _aside(points, aside)
    if backwards:
        beside = beside[::-1]
    (x0, y0), *rest = beside
    if len(rest) == 1 and abs(rest[0][1] - y0) > 1:
        (x1, y1) = rest[0]
        middle = (x0 + x1) / 2
        return f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    (x1, y1) = beside[-1]
    return f"M{x0:.1f} {y0:.1f}{''.join(_corners(beside))}L{x1:.1f} {y1:.1f}"


def _corners(points: Sequence[Point]) -> Iterator[str]:
    """The bends of a line, each rounded."""
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        (xa, ya), (xb, yb) = _towards((x, y), before), _towards((x, y), after)
        yield f"L{xa:.1f} {ya:.1f}Q{x:.1f} {y:.1f} {xb:.1f} {yb:.1f}"


def _towards(corner: Point, other: Point) -> Point:
    """The point on the way from a corner where its bend ends."""
    length = hypot(other[0] - corner[0], other[1] - corner[1]) or 1.0
    share = min(BEND, length / 2) / length
    return corner[0] + share * (other[0] - corner[0]), corner[1] + share * (other[1] - corner[1])


def _aside(points: Sequence[Point], distance: float) -> list[Point]:
    """The points of a line that runs beside another."""
    moved = []
    for k, (x, y) in enumerate(points):
        (xa, ya), (xb, yb) = points[max(0, k - 1)], points[min(len(points) - 1, k + 1)]
        length = hypot(xb - xa, yb - ya) or 1.0
        moved.append((x + distance * (yb - ya) / length, y - distance * (xb - xa) / length))
    return moved
