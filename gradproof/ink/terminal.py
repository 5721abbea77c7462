"""Notation to text for a terminal, in Unicode or ASCII."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from unicodedata import normalize

from gradproof.core.program import DIFFERENTIAL
from gradproof.ink.precedence import Strength, alike, around, decimal, power_of_ten, sides, strength
from gradproof.prims.dictionary import BY_NAME
from gradproof.prims.linalg import OF_MATRIX_BY_NAME
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

FUNCTIONS: dict[str, str] = {
    name: record.text for name, record in (BY_NAME | OF_MATRIX_BY_NAME).items()
}
RELATIONS = {">": ">", ">=": "≥", "<=": "≤", "==": "="}
RAISED = str.maketrans("0123456789/-", "⁰¹²³⁴⁵⁶⁷⁸⁹ᐟ⁻")
ABOVE = str.maketrans("0123456789t−+", "⁰¹²³⁴⁵⁶⁷⁸⁹ᵗ⁻⁺")
"""The characters that there are for the number of a layer."""

PLAIN = {
    "∂": "d",
    "ⅆ": "d",
    "≤": "<=",
    "ᵀ": "^T",
    "⊙": ".*",
    "⊘": "./",
    "Σ": "sum",
    "′": "'",
    "−": "-",
    "½": "1/2",
    "⟨": "<",
    "⟩": ">",
    "𝟏": "ones",
    "·": "*",
    "≥": ">=",
    "√": "sqrt",
    "ᐟ": "/",
    "⋆": "(*)",
    "↓": " every ",
    "↑": " spread ",
}
"""What stands for a character where there is only ASCII; Greek letters are spelled."""

GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "η": "eta",
    "θ": "theta",
    "λ": "lambda",
    "μ": "mu",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "φ": "phi",
    "ω": "omega",
}


def text(
    notation: Notation, *, ascii: bool = False, functions: Mapping[str, str] = FUNCTIONS
) -> str:
    """A line of text; with `ascii`, of ASCII characters alone."""
    line = _Pen(functions).write(notation)
    return to_ascii(line) if ascii else line


def to_ascii(line: str) -> str:
    """A line with every character of the terminal's notation spelled in ASCII."""
    line = re.sub("⁽([^⁾]*)⁾", lambda m: f"^({_lowered(m[1])})", line)
    back = {str(d).translate(RAISED): str(d) for d in range(10)} | {"ᐟ": "/", "⁻": "-"}
    line = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹ᐟ⁻]+", lambda m: "^" + "".join(back[c] for c in m.group()), line)
    for character, spelled in (PLAIN | GREEK).items():
        line = line.replace(character, spelled)
    return line.encode("ascii", "backslashreplace").decode()


def _lowered(inside: str) -> str:
    """The number of a layer without superscripts."""
    return inside.translate({above: character for character, above in ABOVE.items()})


def name_text(name: str) -> str:
    """A name as it is read: the gradient of z is ``∂l/∂z``, ``δz`` or ``z̄``; a layer's number is
    raised, or stands in brackets where Unicode has no raised letter for it."""
    name = re.sub("⁽([^⁾]*)⁾", _above, name)
    if name.startswith(DIFFERENTIAL):
        return DIFFERENTIAL + name_text(name.removeprefix(DIFFERENTIAL))
    above, found, under = name.partition("/∂")
    if found and above == "δ":
        return above + under
    if found and above == "¯":  # the macron stands over the letter before it
        return normalize("NFC", f"{under[0]}\u0304") + under[1:]
    return name


def _above(match: re.Match[str]) -> str:
    inside = match[1].translate(ABOVE)
    plain = {character for character in match[1] if ord(character) not in ABOVE}
    return (
        f"[{match[1]}]" if plain - {*ABOVE.values(), *map(chr, ABOVE.values())} else f"⁽{inside}⁾"
    )


class _Pen:
    """Writes notation with one table of function names."""

    def __init__(self, functions: Mapping[str, str]) -> None:
        self.functions = functions

    def write(self, notation: Notation) -> str:
        """The text of a notation, without parentheses around it."""
        match notation:
            case Symbol(name) | SizeSymbol(name):
                return name_text(name)
            case Sliced(name, places):
                return f"{name_text(name)}[{self._places(places)}]"
            case Numeral(value):
                return _number(value)
            case PiSign():
                return "π"
            case Ones():
                return "𝟏"
            case Transposed(body):
                return self.above(body, Strength.ATOM) + "ᵀ"
            case Inverted(body, transposed):
                return self.above(body, Strength.ATOM) + ("⁻ᵀ" if transposed else "⁻¹")
            case Chain(factors):
                return " ".join(self.above(f, Strength.POSTFIX) for f in factors)
            case Times(factors):
                return self._times(factors)
            case Ratio(over, under):
                return f"{self._side(over)}/{self._side(under)}"
            case Hadamard(factors):
                return " ⊙ ".join(self.above(f, Strength.POSTFIX) for f in factors)
            case Quotient(over, under):
                return (
                    f"{self.above(over, Strength.POSTFIX)} ⊘ {self.above(under, Strength.POSTFIX)}"
                )
            case Plus(terms):
                return self._plus(terms)
            case Negative(body):
                return "−" + self.above(body, Strength.TOTAL)
            case Raised(base, exponent):
                return self._raised(base, exponent)
            case Applied(function, arguments, order):
                return self._applied(function, arguments, order)
            case Total(_, label, body):
                return f"Σ{_subscript(label)} {self.above(body, Strength.TOTAL)}"
            case Folded("logdet", _, _, body):
                return f"log|{self.write(body)}|"
            case Folded(function, _, label, body) | Kept(function, _, label, body):
                return f"{self.functions[function]}{_subscript(label)}({self.write(body)})"
            case Inner(left, right):
                return f"⟨{self.write(left)}, {self.write(right)}⟩"
            case Indicator(relation, left, right):
                return f"[{self.write(left)} {RELATIONS[relation]} {self.write(right)}]"
            case LetterSum(letters, body):
                return f"Σ{_letters(letters)} {self.above(body, Strength.TOTAL)}"
            case LetterFold(function, letters, body):
                return f"{self.functions[function]}{_letters(letters)}({self.write(body)})"
            case LetterKept(function, letter, body, place):
                inside = self.write(body)
                return f"{self.functions[function]}_{letter.name}({inside})[{position(place)}]"
            case Condition():
                left, relation, right = sides(notation)
                return f"[{position(left)} {RELATIONS[relation]} {position(right)}]"
            case Joined(axis, parts, _):
                between = ", " if axis == "columns" else "; "
                return f"[{between.join(self.write(part) for part in parts)}]"
            case Correlation(left, right, steps):
                both = " ⋆ ".join(self.above(side, Strength.POSTFIX) for side in (left, right))
                every = alike(steps)
                return both if every == "1" else f"({both})↓{every}"
            case Padded(body, ends):
                return f"pad({self.write(body)}, {alike(map(around, ends))})"
            case Widened(body, steps):
                return f"{self.above(body, Strength.ATOM)}↑{alike(steps)}"
            case Turned(body, plane):
                return f"{'rot180' if plane else 'flip'}({self.write(body)})"
            case Trace(body):
                return f"tr({self.write(body)})"
            case Diagonal(body):
                return f"diag({self.write(body)})"
            case Equality(left, right):
                return f"{self.write(left)} = {self.write(right)}"

    def above(self, notation: Notation, least: Strength) -> str:
        """The text, in parentheses where it binds less than it must."""
        inside = self.write(notation)
        return inside if strength(notation) >= least else f"({inside})"

    def _places(self, places: tuple[Position | Span | None, ...]) -> str:
        kept = list(places)
        while kept and kept[-1] is None:
            kept.pop()
        return ",".join(":" if place is None else position(place) for place in kept)

    def _times(self, factors: tuple[Notation, ...]) -> str:
        line = ""
        for n, factor in enumerate(factors):
            last = n == len(factors) - 1
            least = (
                Strength.TOTAL
                if last and isinstance(factor, Total | LetterSum | Chain | Hadamard | Quotient)
                else (Strength.TIMES if isinstance(factor, Ratio | Numeral) else Strength.POSTFIX)
            )
            line += self.above(factor, least)
            if not last:
                line += self._between(factor, factors[n + 1])
        return line

    def _between(self, left: Notation, right: Notation) -> str:
        if isinstance(left, Ratio) or (isinstance(left, Numeral) and "/" in self.write(left)):
            return " · "
        if isinstance(right, Numeral):
            return " · "
        tight = isinstance(left, Numeral) and isinstance(right, SizeSymbol)
        return "" if tight else " "

    def _side(self, notation: Notation) -> str:
        """One side of a fraction: a gradient has a stroke of its own."""
        inside = self.above(notation, Strength.POSTFIX)
        return f"({inside})" if strength(notation) == Strength.GRADIENT else inside

    def _plus(self, terms: tuple[Notation, ...]) -> str:
        line = ""
        for n, term in enumerate(terms):
            negative = isinstance(term, Negative)
            body = self.above(term.body if isinstance(term, Negative) else term, Strength.TOTAL)
            if n == 0:
                line = ("−" if negative else "") + body
            else:
                line += (" − " if negative else " + ") + body
        return line

    def _raised(self, base: Notation, exponent: Fraction) -> str:
        if exponent == Fraction(1, 2):
            inside = self.write(base)
            whole = isinstance(base, Numeral) and inside.isdigit()
            bare = whole or isinstance(base, SizeSymbol | PiSign)
            return f"√{inside}" if bare else f"√({inside})"
        inside = self.above(base, Strength.ATOM)
        inside = f"({inside})" if inside.endswith("⁾") else inside  # (W⁽²⁾)³
        return inside + str(exponent).translate(RAISED)

    def _applied(self, function: str, arguments: tuple[Notation, ...], order: int) -> str:
        inside = ", ".join(self.write(a) for a in arguments)
        if function == "abs" and order == 0:
            return f"|{inside}|"
        return f"{self.functions[function]}{'′' * order}({inside})"


def _number(value: Fraction) -> str:
    exponent = power_of_ten(value)
    if exponent is not None:
        return "10" + str(exponent).translate(RAISED)
    return "½" if value == Fraction(1, 2) else decimal(value) or str(value)


def _subscript(label: str) -> str:
    return f"_{label}" if label else ""


def _letters(letters: tuple[Letter, ...]) -> str:
    return "_" + ",".join(letter.name for letter in letters)


def position(place: Position | Span) -> str:
    """``t``, ``t−1``, ``2i+r``, ``1:4``."""
    if isinstance(place, Span):
        return f"{place.start}:{place.stop}"
    line = ""
    for variable, coefficient in place.terms:
        name = variable if isinstance(variable, str) else variable.name
        size = "" if abs(coefficient) == 1 else str(abs(coefficient))
        sign = "−" if coefficient < 0 else "+" if line else ""
        line += sign + size + name
    if place.constant or not line:
        sign = "−" if place.constant < 0 else "+" if line else ""
        line += sign + str(abs(place.constant))
    return line
