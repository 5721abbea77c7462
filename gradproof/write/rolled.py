"""A program's equations to a page on which every loop stands once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gradproof.core.index import Size
from gradproof.core.normal import plus
from gradproof.core.program import Derivation, Equation, shape_of, shapes
from gradproof.core.term import Add, Bracket, Term, reads, walk
from gradproof.words import say
from gradproof.write.convention import Convention
from gradproof.write.loops import (
    Count,
    Initial,
    Loop,
    Series,
    Slices,
    cuts,
    generic,
    initial_values,
    loops,
    member,
    moving,
    series,
    slices_of,
    told_apart,
    with_cuts,
)
from gradproof.write.matrix import write
from gradproof.write.notation import Equality, Letter, LetterSum, Negative, Notation, Plus

LETTER = "t"

SHORT = 4

Shapes = dict[str, tuple[Size, ...]]


@dataclass(frozen=True, slots=True)
class Line:
    """An equation as it is written, the shape of its target, and for which t it holds.

    ``members`` are the targets that it stands for, where it is that of a loop.
    """

    equality: Equality
    target: str
    shape: tuple[Size, ...]
    range: str = ""
    members: tuple[str, ...] = ()


@dataclass(slots=True)
class Page:
    """What the lines of one page are written under.

    ``words`` are bounds that have a name, as ``T`` for the number of steps, and ``cut`` the axes of
    tensors whose slices are called ``x[t]``, counted from 1 as members are; ``length`` is how many
    members the longest family has.
    """

    convention: Convention
    shapes: Shapes
    initial: Initial
    words: Mapping[int, str] = field(default_factory=dict)
    cut: frozenset[tuple[str, int]] = frozenset()
    length: int = 0

    def word(self, number: int) -> str:
        """A number, by its name if it has one."""
        return self.words.get(number, str(number))


def page_of(
    derivation: Derivation, convention: Convention, words: Mapping[int, str] | None = None
) -> Page:
    """The page of a derivation: what its loops start with and which slices they take."""
    known = dict(shapes(derivation.forward) | shapes(derivation.backward))
    initial = initial_values(derivation.forward.equations)
    found = frozenset[tuple[str, int]]()
    for equations in (derivation.forward.equations, derivation.backward.equations):
        found |= cuts(equations, initial)
    numbered = (member(name) for name in known)
    length = max((one[1] for one in numbered if one is not None), default=0)
    return Page(convention, known, initial, words or {}, found, length)


def line_of(equation: Equation, page: Page) -> Line:
    """One equation, with ``Σ_t`` where its terms are those of a loop."""
    return _summed(equation, page) or _plain(equation, page)


@dataclass(frozen=True, slots=True)
class Start:
    """What a name of the page is: another one, or a slice in the code."""

    first: str
    name: str
    code: str = ""


def starting(page: Page) -> list[Start]:
    """What the members 0 are, where a loop of the page reads them, and what its slices are."""
    used = {family for family in page.initial.names if f"{family}[t−1]" in page.shapes}
    found = [Start(f"{f}[0]", name) for f, name in page.initial.names.items() if f in used]
    slices = [
        Start(f"{name}[t]", name, f"{name}[{':, ' * axis}t−1]")
        for name, axis in sorted(page.cut)
        if "/∂" not in name and f"{name}[t]" in page.shapes
    ]
    return [*found, *slices]


def start_said(
    start: Start,
    lang: str = "en",
    called: Callable[[str], str] = str,
    quoted: Callable[[str], str] = str,
) -> str:
    """A start in words; ``called`` writes a name and ``quoted`` code."""
    if start.code:
        return say(
            "{slice} is {code} in the code",
            lang,
            slice=called(start.first),
            code=quoted(start.code),
        )
    return say("{first} is {name}", lang, first=called(start.first), name=called(start.name))


def starts(page: Page, lang: str = "en", called: Callable[[str], str] = str) -> list[str]:
    """The same as text; ``called`` says under which names."""
    return [start_said(one, lang, called) for one in starting(page)]


def rolled(equations: Sequence[Equation], page: Page) -> list[Line]:
    """The lines of a page, those of a loop's members as one."""
    return [line for one in loops(equations, page.initial) for line in lines_of(one, page)]


def lines_of(one: Loop | Equation, page: Page) -> Iterator[Line]:
    """The lines of a loop or of one equation."""
    if isinstance(one, Loop):
        line = _loop(one, page)
        if line is not None:
            yield line
            return
    equation = one.equation if isinstance(one, Loop) else one
    yield line_of(equation, page)


def named(name: str, page: Page) -> str:
    """A member under its page name: ``h[T]`` for the last one."""
    found = member(name)
    return name if found is None else f"{found[0]}[{page.word(found[1])}]"


def _plain(equation: Equation, page: Page) -> Line:
    term = with_cuts(equation.term, page.cut, page.word, page.shapes)
    names = {
        name: named(name, page)
        for name in {equation.target, *(read.tensor for read in reads(equation.term))}
    }
    changed = Equation(equation.target, equation.free, term)
    equality = write(changed, page.convention, names, page.shapes)
    return Line(equality, equation.target, shape_of(equation))


def _loop(loop: Loop, page: Page) -> Line | None:
    equation = loop.equation
    count = Count(LETTER, loop.first, page.words)
    term = generic(equation.term, loop.steps, count, page.initial, page.shapes)
    target = f"{loop.family}[{LETTER}]"
    page.shapes[target] = shape_of(equation)
    written = write(Equation(target, equation.free, term), page.convention, shapes=page.shapes)
    members = tuple(f"{loop.family}[{n}]" for n in range(loop.first, loop.last + 1))
    return Line(written, target, _shape(loop), range_text(loop.first, loop.last, page), members)


def _shape(loop: Loop) -> tuple[Size, ...]:
    """The members' shape; of a size that they have not in common, the first and the last."""
    return tuple(
        sizes[0] if len(set(sizes)) == 1 else f"({sizes[0]} … {sizes[-1]})"
        for sizes in zip(*loop.shapes, strict=True)
    )


def range_text(first: int, last: int, page: Page) -> str:
    """For which turns something holds."""
    return f"{LETTER} = {page.word(first)} … {page.word(last)}"


# --- sums over a loop --------------------------------------------------------------------------


def _summed(equation: Equation, page: Page) -> Line | None:
    """An equation whose terms are those of a loop, with ``Σ_t``; `None` if they are not."""
    if not isinstance(equation.term, Add):
        return None
    parts = list(series(told_apart(equation), page.initial))
    if not any(isinstance(part, Series) for part in parts):
        return None
    sliced = [slices_of(equation, part) for part in parts if isinstance(part, Series)]
    found = [one for one in sliced if one is not None]
    if len(found) == len(parts) and len({(f.axis, f.number, f.way) for f in found}) == 1:
        return _slices(equation, found, page)
    written = [_part(equation, part, page) for part in parts]
    left = written[0].left
    if any(one.left != left for one in written):
        return None
    if len(equation.term.terms) <= SHORT:  # it stays as it is where Σ_t would read no better
        bracketed = any(isinstance(node, Bracket) for node in walk(equation.term))
        if bracketed or left != _plain(equation, page).equality.left:
            return None
    rights = [_sign_first(right) for right in _together([one.right for one in written])]
    right = Plus(tuple(rights)) if len(rights) > 1 else rights[0]
    return Line(Equality(left, right), equation.target, shape_of(equation))


def _together(parts: Sequence[Notation]) -> list[Notation]:
    """Sums over the same turns as one sum."""
    joined: list[Notation] = []
    for part in parts:
        match joined[-1:], part:
            case [LetterSum(letters, one)], LetterSum(over, other) if letters == over:
                terms = one.terms if isinstance(one, Plus) else (one,)
                more = other.terms if isinstance(other, Plus) else (other,)
                joined[-1] = LetterSum(letters, Plus((*terms, *more)))
            case _:
                joined.append(part)
    return joined


def _sign_first(part: Notation) -> Notation:
    """``−Σ_t A`` for ``Σ_t (−A)``."""
    match part:
        case LetterSum(letters, Negative(body)):
            return Negative(LetterSum(letters, body))
        case _:
            return part


def _part(equation: Equation, part: Series | Term, page: Page) -> Equality:
    if not isinstance(part, Series):
        one = Equation(equation.target, equation.free, part)
        return _plain(one, page).equality
    term, low, high = _generic(part, page)
    written = write(
        Equation(equation.target, equation.free, term), page.convention, shapes=page.shapes
    )
    everywhere = low == 1 and high == page.length
    over = LETTER if everywhere else f"{LETTER}={page.word(low)}…{page.word(high)}"
    body: Notation = LetterSum((Letter(over, part.count),), written.right)
    return Equality(written.left, body)


def _generic(part: Series, page: Page) -> tuple[Term, int, int]:
    """A series' term in its index, and from where to where it runs."""
    found = moving(part.term, part.steps, page.initial)
    assert found is not None
    number, way = found
    last = number + way * (part.count - 1)
    if min(number, last) == 0:  # a loop's turns are counted from 1
        number, last = number + 1, last + 1
    count = Count(LETTER, number, page.words, way)
    term = generic(part.term, part.steps, count, page.initial, page.shapes)
    return term, min(number, last), max(number, last)


def _slices(equation: Equation, found: Sequence[Slices], page: Page) -> Line:
    """``∂l/∂x[t] = …`` for the sum that puts each of them at its place."""
    first = found[0]
    count = Count(LETTER, first.number, page.words, first.way)
    terms = [
        generic(one.terms.term, one.terms.steps, count, page.initial, page.shapes) for one in found
    ]
    target = f"{equation.target}[{LETTER}]"
    free = tuple(index for index in equation.free if index != first.axis)
    page.shapes[target] = tuple(index.size for index in free)
    written = write(Equation(target, free, plus(*terms)), page.convention, shapes=page.shapes)
    return Line(written, target, page.shapes[target], range_text(1, first.terms.count, page))
