"""Notation to MathML Core, which every current browser sets without a script."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from html import escape

from gradproof.core.program import DIFFERENTIAL
from gradproof.ink.latex import CAPITALS, GREEK, SPELLED, name_parts, plain_names
from gradproof.ink.precedence import (
    Strength,
    alike,
    around,
    decimal,
    power_of_ten,
    sides,
    strength,
)
from gradproof.ink.terminal import FUNCTIONS, RELATIONS, position
from gradproof.write.notation import (
    Applied,
    Chain,
    Condition,
    Correlation,
    Diagonal,
    Equality,
    Folded,
    Hadamard,
    Indicator,
    Inner,
    Inverted,
    Joined,
    Kept,
    Letter,
    LetterFold,
    LetterKept,
    LetterSum,
    Negative,
    Notation,
    Numeral,
    Ones,
    Padded,
    PiSign,
    Plus,
    Position,
    Quotient,
    Raised,
    Ratio,
    SizeSymbol,
    Sliced,
    Span,
    Symbol,
    Times,
    Total,
    Trace,
    Transposed,
    Turned,
    Widened,
)

LETTERS = {name: letter for letter, name in SPELLED.items()} | {
    "Gamma": "Γ",
    "Delta": "Δ",
    "Theta": "Θ",
    "Lambda": "Λ",
    "Xi": "Ξ",
    "Pi": "Π",
    "Sigma": "Σ",
    "Phi": "Φ",
    "Psi": "Ψ",
    "Omega": "Ω",
}
"""What a Greek letter's name is written as."""

assert set(LETTERS) == set(GREEK) | CAPITALS, "a Greek letter has a name and no letter"


def mathml(
    notation: Notation,
    *,
    functions: Mapping[str, str] = FUNCTIONS,
    plain: frozenset[str] | None = None,
) -> str:
    """The children of a ``<math>`` element that show a notation; nothing in it is markup of the
    user's.

    Args:
        notation: what to write.
        functions: how the functions of the dictionary look.
        plain: what is written letter by letter: `plain_names` of the page, so that no two names
            on it look alike; of the notation alone if not given.
    """
    chosen = plain_names((notation,)) if plain is None else plain
    return _Pen(functions, chosen).write(notation)


def name_mathml(name: str) -> str:
    """A name by itself: ``W2`` with its number below, ``∂l/∂z1`` as a fraction."""
    return _Pen(FUNCTIONS, frozenset()).name(name)


def _row(*parts: str) -> str:
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


def _word(word: str, *, upright: bool = False) -> str:
    """A name; one letter is italic, as mathematics has it, and several are upright."""
    written = LETTERS.get(word, word)
    style = ' mathvariant="normal"' if upright and len(written) == 1 else ""
    return f"<mi{style}>{escape(written)}</mi>"


def _number(written: str) -> str:
    return f"<mn>{written}</mn>"


def _sign(sign: str, *, form: str = "") -> str:
    """An operator, with the space of the form in which it stands."""
    return f"<mo{f' form={chr(34)}{form}{chr(34)}' if form else ''}>{escape(sign)}</mo>"


THIN = '<mspace width="0.2em"/>'
TRANSPOSED = '<mo lspace="0" rspace="0">⊤</mo>'


def _primes(number: int) -> str:
    """Primes as they stand behind a name: the font has them raised already."""
    return f'<mo lspace="0" rspace="0">{"′" * number}</mo>'


_SMALL = tuple(f'<mo stretchy="false" lspace="0" rspace="0">{sign}</mo>' for sign in "()")
"""The parentheses around the number of a layer."""


def _round(inside: str) -> str:
    """In parentheses that grow with what is inside."""
    return _row(_sign("(", form="prefix"), inside, _sign(")", form="postfix"))


def _square(inside: str) -> str:
    return _row(_sign("[", form="prefix"), inside, _sign("]", form="postfix"))


def _plain(name: str) -> str:
    """A name letter by letter, which no other name can look like."""
    return f'<mtext class="plain">{escape(name)}</mtext>'


def _fraction(above: str, below: str) -> str:
    return f"<mfrac>{above}{below}</mfrac>"


def _subscript(part: str) -> str:
    """A part of a name's tail: ``1``, ``h``, or the difference ``t−1``."""
    for sign in "−+":
        left, found, right = part.partition(sign)
        if found and left and right:
            return _row(_place(left), _sign(sign), _place(right))
    return _place(part)


def _place(written: str) -> str:
    return _number(written) if written.isdecimal() else _word(written)


class _Pen:
    """Writes notation with one table of function names."""

    def __init__(self, functions: Mapping[str, str], plain: frozenset[str]) -> None:
        self.functions = functions
        self.plain = plain

    def name(self, name: str) -> str:
        """A name, letter by letter where it would look like another one."""
        if name.startswith(DIFFERENTIAL):
            return _row(_word("d", upright=True), self.name(name.removeprefix(DIFFERENTIAL)))
        if "/∂" in name:
            return self._gradient(name, self.name)
        parts = None if name in self.plain else name_parts(name)
        if parts is None:
            return _plain(name)
        stem = _word(parts.stem)
        primed = _row(stem, _primes(parts.primes)) if parts.primes else stem
        layer = _row(_SMALL[0], _subscript(parts.layer), _SMALL[1]) if parts.layer else ""
        if not parts.subscripts:
            return f"<msup>{primed}{layer}</msup>" if layer else primed
        listed = [_subscript(part) for part in parts.subscripts]
        below = _row(*_between(listed, '<mo separator="true">,</mo>'))
        if layer:
            return f"<msubsup>{primed}{below}{layer}</msubsup>"
        return f"<msub>{primed}{below}</msub>"

    def _gradient(self, name: str, below: Callable[[str], str]) -> str:
        above, _, under = name.partition("/∂")
        if above == "δ":
            return f"<msub>{_word('δ')}{below(under)}</msub>"
        if above == "¯":
            return f"<mover>{below(under)}<mo>¯</mo></mover>"
        top = _row(_word("∂", upright=True), self.name(above.removeprefix("∂")))
        return _fraction(top, _row(_word("∂", upright=True), below(under)))

    def write(self, notation: Notation) -> str:
        """The MathML of a notation, without parentheses around it."""
        match notation:
            case Symbol(name) | SizeSymbol(name):
                return self.name(name)
            case Sliced(name, places):
                return self._sliced(name, places)
            case Numeral(value):
                return self._numeral(value)
            case PiSign():
                return "<mi>π</mi>"
            case Ones():
                return "<mn>𝟏</mn>"
            case Transposed(body):
                return self._over(body, TRANSPOSED)
            case Inverted(body, transposed):
                minus = '<mo lspace="0" rspace="0">−</mo>'
                return self._over(body, _row(minus, TRANSPOSED if transposed else "<mn>1</mn>"))
            case Chain(factors):
                return _row(*_between([self.above(f, Strength.POSTFIX) for f in factors], THIN))
            case Times(factors):
                last = len(factors) - 1
                parts = [self._factor(f, n == last) for n, f in enumerate(factors)]
                return _row(*_between(parts, THIN))
            case Ratio(over, under):
                return _fraction(self.write(over), self.write(under))
            case Hadamard(factors):
                parts = [self.above(f, Strength.POSTFIX) for f in factors]
                return _row(*_between(parts, _sign("⊙")))
            case Quotient(over, under):
                parts = [self.above(part, Strength.POSTFIX) for part in (over, under)]
                return _row(*_between(parts, _sign("⊘")))
            case Plus(terms):
                return self._plus(terms)
            case Negative(body):
                return _row(_sign("−", form="prefix"), self.above(body, Strength.TOTAL))
            case Raised(base, exponent):
                return self._raised(base, exponent)
            case Applied(function, arguments, order):
                return self._applied(function, arguments, order)
            case Total(_, label, body):
                return _row(self._sum(_named(label)), self.above(body, Strength.TOTAL))
            case Folded("logdet", _, _, body):
                bar = _sign("|", form="prefix"), _sign("|", form="postfix")
                return _row("<mi>log</mi>", bar[0], self.write(body), bar[1])
            case Folded(function, _, label, body) | Kept(function, _, label, body):
                return self._called(function, _named(label), body)
            case Inner(left, right):
                comma = '<mo separator="true">,</mo>'
                inside = _row(self.write(left), comma, self.write(right))
                return _row(_sign("⟨", form="prefix"), inside, _sign("⟩", form="postfix"))
            case Indicator(relation, left, right):
                return _square(
                    _row(self.write(left), _sign(RELATIONS[relation]), self.write(right))
                )
            case LetterSum(letters, body):
                return _row(self._sum(_letters(letters)), self.above(body, Strength.TOTAL))
            case LetterFold(function, letters, body):
                return self._called(function, _letters(letters), body)
            case LetterKept(function, letter, body, place):
                whole = self._called(function, _letters((letter,)), body)
                return f"<msub>{whole}{_position(place)}</msub>"
            case Condition():
                left, relation, right = sides(notation)
                inside = _row(_position(left), _sign(RELATIONS[relation]), _position(right))
                return _square(inside)
            case Joined(axis, parts, _):
                return self._joined(axis, parts)
            case Correlation(left, right, steps):
                sides_ = [self.above(side, Strength.POSTFIX) for side in (left, right)]
                both = _row(*_between(sides_, _sign("⋆")))
                every = alike(steps)
                if every == "1":
                    return both
                return f"<msub>{_row(_round(both), _arrow('↓'))}{_number(every)}</msub>"
            case Padded(body, ends):
                zeros = _number(alike(map(around, ends)))
                return _row(f"<msub><mi>pad</mi>{zeros}</msub>", _round(self.write(body)))
            case Widened(body, steps):
                widened = _row(self.above(body, Strength.ATOM), _arrow("↑"))
                return f"<msub>{widened}{_number(alike(steps))}</msub>"
            case Turned(body, plane):
                turned = "<msub><mi>rot</mi><mn>180</mn></msub>" if plane else "<mi>flip</mi>"
                return _row(turned, _round(self.write(body)))
            case Trace(body):
                return _row("<mi>tr</mi>", _round(self.write(body)))
            case Diagonal(body):
                return _row("<mi>diag</mi>", _round(self.write(body)))
            case Equality(left, right):
                return _row(self.write(left), _sign("="), self.write(right))

    def above(self, notation: Notation, least: Strength) -> str:
        """The MathML, in parentheses where it binds less than it must."""
        inside = self.write(notation)
        return inside if strength(notation) >= least else _round(inside)

    def _factor(self, factor: Notation, last: bool) -> str:
        match factor:
            case Total() | LetterSum() | Chain() | Hadamard() | Quotient() if last:
                return self.write(factor)
            case Ratio() | Numeral():
                return self.write(factor)
            case _:
                return self.above(factor, Strength.POSTFIX)

    def _sum(self, below: str) -> str:
        return f"<munder><mo movablelimits='true'>∑</mo>{below}</munder>"

    def _called(self, function: str, below: str, body: Notation) -> str:
        named = _word(self.functions[function], upright=True)
        head = f"<msub>{named}{below}</msub>" if below != "<mrow></mrow>" else named
        return _row(head, _round(self.write(body)))

    def _sliced(self, name: str, places: tuple[Position | Span | None, ...]) -> str:
        kept = list(places)
        while kept and kept[-1] is None:
            kept.pop()
        listed = [_sign(":") if place is None else _position(place) for place in kept]
        inside = _row(*_between(listed, '<mo separator="true">,</mo>'))
        if name.startswith(DIFFERENTIAL):
            moved = self._sliced(name.removeprefix(DIFFERENTIAL), places)
            return _row(_word("d", upright=True), moved)
        if "/∂" in name:  # a slice of the gradient is the gradient of the slice
            return self._gradient(name, lambda below: f"<msub>{self.name(below)}{inside}</msub>")
        return f"<msub>{self.name(name)}{inside}</msub>"

    def _joined(self, axis: str, parts: tuple[Notation, ...]) -> str:
        cells = [f"<mtd>{self.write(part)}</mtd>" for part in parts]
        rows = ["".join(cells)] if axis == "columns" else cells
        return _square("<mtable>" + "".join(f"<mtr>{row}</mtr>" for row in rows) + "</mtable>")

    def _plus(self, terms: tuple[Notation, ...]) -> str:
        parts: list[str] = []
        for n, term in enumerate(terms):
            negative = isinstance(term, Negative)
            body = self.above(term.body if isinstance(term, Negative) else term, Strength.TOTAL)
            if n:
                parts.append(_sign("−" if negative else "+", form="infix"))
            elif negative:
                parts.append(_sign("−", form="prefix"))
            parts.append(body)
        return _row(*parts)

    def _numeral(self, value: Fraction) -> str:
        exponent = power_of_ten(value)
        if exponent is not None:
            raised = _number(str(exponent).replace("-", "−"))
            return f"<msup>{_number('10')}{raised}</msup>"
        if value.denominator == 1:
            return _number(str(value))
        written = decimal(value)
        if written is not None and value != Fraction(1, 2):
            return _number(written)
        return _fraction(_number(str(value.numerator)), _number(str(value.denominator)))

    def _raised(self, base: Notation, exponent: Fraction) -> str:
        if exponent == Fraction(1, 2):
            return f"<msqrt>{self.write(base)}</msqrt>"
        if "⁾" in (base.name if isinstance(base, Symbol | Sliced) else ""):
            return f"<msup>{_round(self.write(base))}{_number(str(exponent))}</msup>"
        return self._over(base, _number(str(exponent)))

    def _over(self, body: Notation, sign: str) -> str:
        """A sign at the upper right; above the subscript of a name that has one."""
        inside = self.above(body, Strength.ATOM)
        if isinstance(body, Symbol) and "⁾" in body.name and "/∂" not in body.name:
            head, _, tag = inside.rpartition("</mrow></")  # after the number of the layer
            return f"{head}{sign}</mrow></{tag}"
        if isinstance(body, Symbol) and inside.startswith("<msub>"):
            below = inside.removeprefix("<msub>").removesuffix("</msub>")
            return f"<msubsup>{below}{sign}</msubsup>"
        return f"<msup>{inside}{sign}</msup>"

    def _applied(self, function: str, arguments: tuple[Notation, ...], order: int) -> str:
        inside = _row(*_between([self.write(a) for a in arguments], '<mo separator="true">,</mo>'))
        if order == 0 and function == "abs":
            return _row(_sign("|", form="prefix"), inside, _sign("|", form="postfix"))
        if order == 0 and function == "sqrt":
            return f"<msqrt>{inside}</msqrt>"
        named = _word(self.functions[function])
        head = _row(named, _primes(order)) if order else named
        return _row(head, _round(inside))


def _between(parts: list[str], sign: str) -> list[str]:
    """Parts with a sign between neighbours."""
    joined = [piece for part in parts for piece in (sign, part)]
    return joined[1:]


def _named(label: str) -> str:
    return _row(*_between([_subscript(part) for part in label.split(",") if part], _sign(",")))


def _letters(letters: tuple[Letter, ...]) -> str:
    names = ",".join(letter.name for letter in letters)
    return _row(*(_mark(mark) for mark in re.findall(r"\d+|[^\W\d_]+|\W", names)))


def _mark(mark: str) -> str:
    """A part of what stands below a sum: ``t``, ``=``, ``1``, ``…``."""
    if mark.isdigit():
        return f"<mn>{mark}</mn>"
    if mark[0].isalpha():
        return f"<mi>{escape(mark)}</mi>"
    return f'<mo lspace="0" rspace="0">{escape(mark)}</mo>'


def _arrow(sign: str) -> str:
    """An arrow that stands close to what it is about."""
    return f'<mo stretchy="false" lspace="0" rspace="0">{sign}</mo>'


def _position(place: Position | Span) -> str:
    """``t``, ``t−1``, ``2i+r``, ``1:4``."""
    if isinstance(place, Span):
        return f"<mtext>{position(place)}</mtext>"
    parts: list[str] = []
    for variable, coefficient in place.terms:
        name = variable if isinstance(variable, str) else variable.name
        if coefficient < 0 or parts:
            parts.append(_sign("−" if coefficient < 0 else "+"))
        if abs(coefficient) != 1:
            parts.append(_number(str(abs(coefficient))))
        parts.append(_word(name))
    if place.constant or not parts:
        if place.constant < 0 or parts:
            parts.append(_sign("−" if place.constant < 0 else "+"))
        parts.append(_number(str(abs(place.constant))))
    return _row(*parts)
