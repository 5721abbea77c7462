"""The routes by which tensors reach the loss to those of a page on which every loop stands once.

A route is packed into one term, so that the turns of a loop are compared with one another, and
rolled up, by what compares and rolls up equations (`loops`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gradproof.core.index import Affine, Index, at, combine, is_index
from gradproof.core.normal import canonical, decided, highest, product
from gradproof.core.program import DIFFERENTIAL, Derivation, Equation, Route
from gradproof.core.term import (
    ZERO,
    Add,
    Bracket,
    Product,
    Read,
    Sum,
    Term,
    reads,
    rename,
    substitute,
)
from gradproof.write.convention import Convention
from gradproof.write.loops import Count, Initial, Loop, generic, loops, member, with_cuts
from gradproof.write.matrix import write
from gradproof.write.notation import Equality
from gradproof.write.rolled import LETTER, Line, Page, line_of, lines_of, named, page_of, range_text


@dataclass(frozen=True, slots=True)
class Way:
    """A route as it stands on the page, for all turns of a loop where `range` says so.

    The fields are those of `Route`, under the names of the page. ``forward`` is
    the reader's equation, and ``whole`` that of its differential where everything moves, if it is
    wanted. ``turns``
    is what stands below a Σ over the turns, and ``route`` the first of the routes.
    """

    of: str
    reader: str
    free: tuple[Index, ...]
    forward: Equality
    forward_term: Term
    pushed: Read
    upstream: Term
    whole: Equality | None
    whole_equation: Equation
    part: Term
    axes: tuple[Index, ...]
    moved: Read
    contribution: Term
    loss: bool
    route: Route
    range: str = ""
    turns: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A gradient's equation as it stands on the page, and the ways that it adds up.

    ``members`` are the tensors that it is the gradient of, as the program calls them, and ``dl`` is
    what the loss's differential is called.
    """

    line: Line
    of: str
    ways: tuple[Way, ...]
    members: tuple[str, ...]
    dl: str


def sections_page(derivation: Derivation, convention: Convention, words: Mapping[int, str]) -> Page:
    """The page of a derivation on which differentials stand, too, laid out as their tensors."""
    page = page_of(derivation, convention, words)
    known = dict(page.shapes)
    page.shapes.update({DIFFERENTIAL + name: shape for name, shape in known.items()})
    families = dict(page.initial.names)
    for family, name in page.initial.names.items():
        families[DIFFERENTIAL + family] = DIFFERENTIAL + name
    cut = page.cut | {(DIFFERENTIAL + name.rpartition("∂")[2], axis) for name, axis in page.cut}
    turned = convention.turned | {DIFFERENTIAL + name for name in convention.turned}
    return replace(
        page, convention=replace(convention, turned=turned), initial=Initial(families), cut=cut
    )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What the ways of a page are made under; ``lines`` are the equations written so far."""

    page: Page
    loss: str
    full: bool
    lines: dict[str, Equality]


def sections(
    derivation: Derivation, routes: Mapping[str, tuple[Route, ...]], page: Page, *, full: bool
) -> list[Section]:
    """The gradients of a page, back to front, each with its ways; without those that are zero.

    Args:
        derivation: what was derived.
        routes: its routes, by tensor.
        page: as `sections_page` makes it.
        full: whether differentials are wanted in which everything moves.
    """
    sheet = _Sheet(page, derivation.loss, full, {})
    of = {symbol: name for name, symbol in derivation.gradients.items()}
    dl = DIFFERENTIAL + _loss_name(derivation, page)
    by_target = {equation.target: equation for equation in derivation.backward.equations}
    found: list[Section] = []
    for one in loops(derivation.backward.equations, page.initial):
        if isinstance(one, Loop):
            targets = [f"{one.family}[{n}]" for n in range(one.first, one.last + 1)]
        else:
            targets = [one.target]
        members = tuple(of[target] for target in targets)
        if isinstance(one, Loop):
            ways = _of_loop(one, [routes[name] for name in members], sheet)
            if ways is not None:
                (line,) = lines_of(one, page)
                found.append(_section(line, ways, members, dl))
                continue
        for target, name in zip(targets, members, strict=True):
            ways = tuple(_of_one(routes[name], sheet))
            line = line_of(by_target[target], page)
            found.append(_section(line, ways, (name,), dl))
    return [section for section in found if section.ways]


def _loss_name(derivation: Derivation, page: Page) -> str:
    """``l``, as in ∂l/∂z; the loss's own name where a tensor is called l, too."""
    others = [name for name in page.shapes if name != derivation.loss]
    for name in ("l", derivation.loss):
        if not any(re.fullmatch(rf"{re.escape(name)}\d*(\[.*\])?", other) for other in others):
            return name
    return "ℓ"


def _section(line: Line, ways: tuple[Way, ...], members: tuple[str, ...], dl: str) -> Section:
    names = {way.of for way in ways}
    of = names.pop() if len(names) == 1 else members[0]
    return Section(line, of, ways, members, dl)


def _of_loop(
    loop: Loop, members: Sequence[tuple[Route, ...]], sheet: _Sheet
) -> tuple[Way, ...] | None:
    """The ways of all members of a family as one; `None` where they are not alike."""
    if len({len(routes) for routes in members}) != 1:
        return None
    ways: list[Way] = []
    for number in range(len(members[0])):
        narrowed = [_named(routes[number], sheet.page) for routes in members]
        packed = [
            _packed(route, sheet, f"way {number}[{loop.first + k}]")
            for k, route in enumerate(narrowed)
        ]
        match list(loops(packed, sheet.page.initial)):
            case [Loop() as whole] if (whole.first, whole.last) == (loop.first, loop.last):
                ways.append(_rolled(whole, narrowed[0], sheet))
            case _:
                return None
    return tuple(ways)


def _of_one(routes: Sequence[Route], sheet: _Sheet) -> Iterator[Way]:
    """The ways of one tensor, those through the turns of a loop as one."""
    page = sheet.page
    packed: dict[str, Route] = {}
    for number, wide in enumerate(routes):
        route = _named(wide, page)
        found = page.initial.numbered(route.reader.target)
        name = f"way {number}" if found is None else f"way {found[0]}[{found[1]}]"
        packed[name] = route
    terms = [_packed(route, sheet, name) for name, route in packed.items()]
    for one in loops(terms, page.initial):
        if isinstance(one, Loop):
            first = packed[f"{one.family}[{one.first}]"]
            way = _rolled(one, first, sheet)
            over = range_text(one.first, one.last, page)
            everywhere = one.first == 1 and one.last == page.length
            yield replace(way, range=over, turns=LETTER if everywhere else over.replace(" ", ""))
        else:
            yield _plain(one, packed[one.target], sheet)


def _packed(route: Route, sheet: _Sheet, name: str) -> Equation:
    """A route as one term, over the reader's indices and the tensor's.

    Where the reader is no member of a family, its own equation is one for all turns.
    """
    turns = member(route.reader.target) is not None
    parts = (
        route.pushed,
        route.reader.term if turns else ZERO,
        route.upstream,
        route.whole if turns and sheet.full else ZERO,
        route.part,
        route.contribution,
        route.moved,
    )
    return Equation(name, *canonical((*route.free, *route.axes), Add(parts)))


def _named(route: Route, page: Page) -> Route:
    """The route between what has a name on the page: slices of the reader and of the tensor."""
    return _narrowed(_whole_tensor(route, page), page)


def _narrowed(route: Route, page: Page) -> Route:
    """The route through one slice of its reader, where only that moves and has a name on the page:
    ``dks[t] = dk[t]`` for the turns that are stacked."""
    name = route.reader.target
    for axis, index in enumerate(route.free):
        if axis not in {cut for one, cut in page.cut if one.rpartition("/∂")[2] == name}:
            continue
        place = _only_place(route.part, index)
        if place is not None:
            put = {index: place}
            pushed, upstream = substitute(route.pushed, put), substitute(route.upstream, put)
            assert isinstance(pushed, Read)
            return replace(
                route,
                free=(*route.free[:axis], *route.free[axis + 1 :]),
                pushed=pushed,
                upstream=upstream,
                part=decided(substitute(route.part, put)),
            )
    return route


def _whole_tensor(route: Route, page: Page) -> Route:
    """The route to all of its tensor, where the slice that it reads has no name on the page."""
    axes, free = [], list(route.axes)
    inside: list[Term] = []
    first = highest(route.contribution, (*route.axes, *route.free)) + 1
    for axis, place in enumerate(route.moved.at):
        if is_index(place):
            axes.append(free.pop(0))
            continue
        if axis in {cut for one, cut in page.cut if one.rpartition("/∂")[2] == route.of}:
            return route
        index = Index(first + axis, page.shapes[route.of][axis])
        inside.append(Bracket("==", combine(at(index), place, -1)))
        axes.append(index)
    if not inside:
        return route
    return replace(
        route,
        axes=tuple(axes),
        moved=Read(route.moved.tensor, tuple(map(at, axes))),
        contribution=product(route.contribution, *inside),
    )


def _only_place(term: Term, index: Index) -> Affine | None:
    """The position c of a term ``[i = c] …``; `None` where it is not zero everywhere else."""
    inside = term.body if isinstance(term, Sum) else term
    for factor in inside.factors if isinstance(inside, Product) else ():
        match factor:
            case Bracket("==", Affine(((i, 1),), constant)) if i == index and constant <= 0:
                return Affine((), -constant)
            case _:
                pass
    return None


def _unpacked(term: Term, free: tuple[Index, ...], route: Route, sheet: _Sheet) -> Way:
    assert isinstance(term, Add)
    pushed, forward, upstream, whole, part, contribution, moved = term.terms
    assert isinstance(pushed, Read) and isinstance(moved, Read)
    own = free[: len(route.free)]
    reader = pushed.tensor.removeprefix(DIFFERENTIAL)
    if member(route.reader.target) is None:
        forward = _on_page(route.reader.term, sheet.page)
        everything = Equation(DIFFERENTIAL + route.reader.target, route.reader.free, route.whole)
        own_line = _line(route.reader, sheet)
        whole_line = _line(everything, sheet) if sheet.full else None
        everything = replace(everything, term=_on_page(route.whole, sheet.page))
    else:
        everything = Equation(pushed.tensor, own, whole)
        own_line = _written(Equation(reader, own, forward), sheet)
        whole_line = _written(everything, sheet) if sheet.full else None
    return Way(
        moved.tensor.removeprefix(DIFFERENTIAL),
        reader,
        own,
        own_line,
        forward,
        pushed,
        upstream,
        whole_line,
        everything,
        part,
        free[len(own) :],
        moved,
        contribution,
        route.reader.target == sheet.loss,
        route,
    )


def _line(equation: Equation, sheet: _Sheet) -> Equality:
    """An equation of the program, which all tensors that it reads have in common."""
    if equation.target not in sheet.lines:
        sheet.lines[equation.target] = line_of(equation, sheet.page).equality
    return sheet.lines[equation.target]


def _written(equation: Equation, sheet: _Sheet) -> Equality:
    return write(equation, sheet.page.convention, shapes=sheet.page.shapes)


def _rolled(loop: Loop, route: Route, sheet: _Sheet) -> Way:
    page = sheet.page
    count = Count(LETTER, loop.first, page.words)
    term = generic(loop.equation.term, loop.steps, count, page.initial, page.shapes)
    return _unpacked(term, loop.equation.free, route, sheet)


def _plain(equation: Equation, route: Route, sheet: _Sheet) -> Way:
    return _unpacked(_on_page(equation.term, sheet.page), equation.free, route, sheet)


def _on_page(term: Term, page: Page) -> Term:
    """A term outside of loops, with the page's names for members and slices."""
    cut = with_cuts(term, page.cut, page.word, page.shapes)
    names = {read.tensor: named(read.tensor, page) for read in reads(cut)}
    for old, new in names.items():
        page.shapes.setdefault(new, page.shapes[old])
    return rename(cut, names)
