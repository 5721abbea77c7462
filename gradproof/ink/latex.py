"""Notation to LaTeX, for amsmath."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from gradproof.core.program import DIFFERENTIAL
from gradproof.ink.precedence import (
    Strength,
    alike,
    around,
    decimal,
    power_of_ten,
    sides,
    strength,
)
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
    children,
)

FUNCTIONS: dict[str, str] = {
    name: record.tex for name, record in (BY_NAME | OF_MATRIX_BY_NAME).items()
}
RELATIONS = {">": ">", ">=": r"\ge", "<=": r"\le", "==": "="}
GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
}
CAPITALS = frozenset(
    ("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega")
)
SPELLED = {letter: name for name, letter in GREEK.items()}


def latex(
    notation: Notation,
    *,
    functions: Mapping[str, str] = FUNCTIONS,
    plain: frozenset[str] | None = None,
) -> str:
    """The LaTeX of a notation, without dollar signs.

    Args:
        notation: what to write.
        functions: how the functions of the dictionary look.
        plain: what is written letter by letter: `plain_names` of the page, so that no two names
            on it look alike; of the notation alone if not given.
    """
    chosen = plain_names((notation,)) if plain is None else plain
    # The letters of indices come with the sign itself, which TeX's fonts for subscripts lack.
    return _Pen(functions, chosen).write(notation).replace("′", "'")


@dataclass(frozen=True, slots=True)
class NameParts:
    """A name as it is set: what stands on the line, what below, how many primes, and above it the
    number of a layer."""

    stem: str
    subscripts: tuple[str, ...]
    primes: int
    layer: str = ""


def name_parts(name: str) -> NameParts | None:
    """``W2`` as W with a 2 below, ``h[t−1]`` as h with t−1 below, ``W⁽2⁾`` as W with a 2 above;
    `None` for what is no such name."""
    match = re.fullmatch(
        r"(_*[^\W\d_]+(?:[^\W]*[^\W\d_])?(?=⁽)|_*[^\W\d_]+|\W+?)(⁽[^⁾]*⁾)?"
        r"((?:_*[^\W_]+|\[[^\]]*\])*?)(′*)",
        name,
    )
    if match is None:
        return None
    stem, layer, tail, primes = match.groups()
    found = re.findall(r"\w[−+]\w+|\d+|[^\W\d_]+|[^\[\],]+", tail.replace("_", ","))
    return NameParts(
        stem, tuple(part for part in found if part != ","), len(primes), (layer or "")[1:-1]
    )


def name_tex(name: str) -> str:
    r"""A name: ``W2`` is ``W_{2}``, ``∂l/∂z1`` a fraction, ``theta`` ``\theta``."""
    if name.startswith(DIFFERENTIAL):
        return r"\mathrm{d}" + name_tex(name.removeprefix(DIFFERENTIAL))
    if "/∂" in name:
        return _gradient_tex(name, name_tex)
    parts = name_parts(name)
    if parts is None:
        return _plain_tex(name)
    line = _word(parts.stem) + "'" * parts.primes
    below = ",".join(_subscript(part) for part in parts.subscripts)
    line += f"_{{{below}}}" if below else ""
    return line + (f"^{{({_subscript(parts.layer)})}}" if parts.layer else "")


def _subscript(part: str) -> str:
    """A part of a name's tail; ``t−1`` is a difference."""
    found = re.fullmatch(r"(\w)([−+])(\w+)", part)
    if found is None:
        return _word(part)
    left, sign, right = found.groups()
    return f"{_word(left)}{'-' if sign == '−' else '+'}{_word(right)}"


def _gradient_tex(name: str, below: Callable[[str], str]) -> str:
    above, _, under = name.partition("/∂")
    if above == "δ":
        return rf"\delta_{{{below(under)}}}"
    if above == "¯":
        return rf"\overline{{{below(under)}}}"
    return rf"\frac{{\partial {name_tex(above.removeprefix('∂'))}}}{{\partial {below(under)}}}"


def _plain_tex(name: str) -> str:
    """A name letter by letter, which no other name can look like."""
    return rf"\mathtt{{{name.replace('_', chr(92) + '_')}}}"


def _tensor(name: str) -> str:
    return name.partition("/∂")[2] or name.removeprefix(DIFFERENTIAL)


def plain_names(notations: Iterable[Notation]) -> frozenset[str]:
    """The names that would look like another name, or like a slice of another tensor."""
    names: set[str] = set()
    sliced: set[str] = set()
    stack = list(notations)
    while stack:
        notation = stack.pop()
        stack.extend(children(notation))
        if isinstance(notation, Symbol | SizeSymbol | Sliced):
            names.add(_tensor(notation.name))
        if isinstance(notation, Sliced):
            sliced.add(_tensor(notation.name))
    looks: dict[str, list[str]] = {}
    for name in sorted(names):
        looks.setdefault(name_tex(name), []).append(name)
    same = {name for alike in looks.values() for name in alike[1:]}
    bases = {name_tex(name) + "_{" for name in sliced}
    return frozenset(same | {n for n in names if name_tex(n).startswith(tuple(bases))})


def _word(stem: str) -> str:
    if stem.isdecimal():
        return stem
    if stem in SPELLED:
        return rf"\{SPELLED[stem]}"
    if stem in GREEK or stem in CAPITALS:
        return rf"\{stem}"
    escaped = stem.replace("_", r"\_")
    return escaped if len(stem) == 1 else rf"\mathrm{{{escaped}}}"


class _Pen:
    """Writes notation with one table of function names."""

    def __init__(self, functions: Mapping[str, str], plain: frozenset[str]) -> None:
        self.functions = functions
        self.plain = plain

    def name(self, name: str) -> str:
        """A name, letter by letter where it would look like another one."""
        if name.startswith(DIFFERENTIAL):
            return r"\mathrm{d}" + self.name(name.removeprefix(DIFFERENTIAL))
        if "/∂" in name:
            return _gradient_tex(name, self.name)
        return _plain_tex(name) if name in self.plain else name_tex(name)

    def write(self, notation: Notation) -> str:
        """The LaTeX of a notation, without parentheses around it."""
        match notation:
            case Symbol(name) | SizeSymbol(name):
                return self.name(name)
            case Sliced(name, places):
                return self._sliced(name, places)
            case Numeral(value):
                return _number(value)
            case PiSign():
                return r"\pi"
            case Ones():
                return r"\mathbf{1}"
            case Transposed(body):
                return _to_the(self.above(body, Strength.ATOM), r"\top")
            case Inverted(body, transposed):
                sign = r"-\top" if transposed else "-1"
                return _to_the(self.above(body, Strength.ATOM), sign)
            case Chain(factors):
                return r" \, ".join(self.above(f, Strength.POSTFIX) for f in factors)
            case Times(factors):
                return r" \, ".join(
                    self._factor(f, n == len(factors) - 1) for n, f in enumerate(factors)
                )
            case Ratio(over, under):
                return rf"\frac{{{self.write(over)}}}{{{self.write(under)}}}"
            case Hadamard(factors):
                return r" \odot ".join(self.above(f, Strength.POSTFIX) for f in factors)
            case Quotient(over, under):
                top, bottom = (self.above(part, Strength.POSTFIX) for part in (over, under))
                return rf"{top} \oslash {bottom}"
            case Plus(terms):
                return self._plus(terms)
            case Negative(body):
                return "-" + self.above(body, Strength.TOTAL)
            case Raised(base, exponent):
                return self._raised(base, exponent)
            case Applied(function, arguments, order):
                return self._applied(function, arguments, order)
            case Total(_, label, body):
                return rf"\sum{_under(label)} {self.above(body, Strength.TOTAL)}"
            case Folded("logdet", _, _, body):
                return rf"\log \left| {self.write(body)} \right|"
            case Folded(function, _, label, body) | Kept(function, _, label, body):
                return self.functions[function] + _under(label) + _round(self.write(body))
            case Inner(left, right):
                inside = f"{self.write(left)},\\, {self.write(right)}"
                return rf"\left\langle {inside} \right\rangle"
            case Indicator(relation, left, right):
                inside = f"{self.write(left)} {RELATIONS[relation]} {self.write(right)}"
                return rf"\left[ {inside} \right]"
            case LetterSum(letters, body):
                return rf"\sum{_letters(letters)} {self.above(body, Strength.TOTAL)}"
            case LetterFold(function, letters, body):
                return self.functions[function] + _letters(letters) + _round(self.write(body))
            case LetterKept(function, letter, body, place):
                named = self.functions[function] + _letters((letter,))
                return rf"{named}{_round(self.write(body))}_{{{position(place)}}}"
            case Condition():
                left, relation, right = sides(notation)
                inside = f"{position(left)} {RELATIONS[relation]} {position(right)}"
                return rf"\left[ {inside} \right]"
            case Joined(axis, parts, _):
                between = " & " if axis == "columns" else r" \\ "
                inside = between.join(self.write(part) for part in parts)
                return rf"\begin{{bmatrix}} {inside} \end{{bmatrix}}"
            case Correlation(left, right, steps):
                both = r" \star ".join(self.above(side, Strength.POSTFIX) for side in (left, right))
                every = alike(steps)
                return (
                    both if every == "1" else rf"{_round(both)}\mathord{{\downarrow}}_{{{every}}}"
                )
            case Padded(body, ends):
                zeros = alike(map(around, ends))
                return rf"\operatorname{{pad}}_{{{zeros}}}" + _round(self.write(body))
            case Widened(body, steps):
                return rf"{self.above(body, Strength.ATOM)}\mathord{{\uparrow}}_{{{alike(steps)}}}"
            case Turned(body, plane):
                turned = r"\operatorname{rot}_{180}" if plane else r"\operatorname{flip}"
                return turned + _round(self.write(body))
            case Trace(body):
                return r"\operatorname{tr}" + _round(self.write(body))
            case Diagonal(body):
                return r"\operatorname{diag}" + _round(self.write(body))
            case Equality(left, right):
                return f"{self.write(left)} = {self.write(right)}"

    def above(self, notation: Notation, least: Strength) -> str:
        """The LaTeX, in parentheses where it binds less than it must."""
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

    def _sliced(self, name: str, places: tuple[Position | Span | None, ...]) -> str:
        kept = list(places)
        while kept and kept[-1] is None:
            kept.pop()
        inside = ",".join(":" if place is None else position(place) for place in kept)
        if name.startswith(DIFFERENTIAL):
            return r"\mathrm{d}" + self._sliced(name.removeprefix(DIFFERENTIAL), places)
        if "/∂" in name:  # a slice of the gradient is the gradient of the slice
            return _gradient_tex(name, lambda below: f"{{{self.name(below)}}}_{{{inside}}}")
        named = self.name(name)
        if _LAYER.search(named) and "_" not in named:
            return f"{named}_{{{inside}}}"
        return f"{{{named}}}_{{{inside}}}"

    def _plus(self, terms: tuple[Notation, ...]) -> str:
        line = ""
        for n, term in enumerate(terms):
            negative = isinstance(term, Negative)
            body = self.above(term.body if isinstance(term, Negative) else term, Strength.TOTAL)
            sign = ("-" if negative else "") if n == 0 else (" - " if negative else " + ")
            line += sign + body
        return line

    def _raised(self, base: Notation, exponent: Fraction) -> str:
        if exponent == Fraction(1, 2):
            return rf"\sqrt{{{self.write(base)}}}"
        inside = self.above(base, Strength.ATOM)
        layered = isinstance(base, Symbol | Sliced) and _LAYER.search(inside)
        return f"{_round(inside) if layered else inside}^{{{exponent}}}"

    def _applied(self, function: str, arguments: tuple[Notation, ...], order: int) -> str:
        inside = ", ".join(self.write(a) for a in arguments)
        if order == 0 and function == "abs":
            return rf"\left| {inside} \right|"
        if order == 0 and function == "sqrt":
            return rf"\sqrt{{{inside}}}"
        return self.functions[function] + "'" * order + _round(inside)


_LAYER = re.compile(r"\^\{\([^{}()]*\)\}")


def _to_the(inside: str, sign: str) -> str:
    """A sign at the upper right: after the number of a layer, where one stands there, as TeX takes
    no second superscript."""
    ends = [found.end() for found in _LAYER.finditer(inside)]
    if not ends or inside.endswith(")"):
        return f"{inside}^{{{sign}}}"
    if ends[-1] == len(inside):
        return f"{inside[:-1]}{sign}}}"
    return f"{{{inside}}}^{{{sign}}}"


def _number(value: Fraction) -> str:
    exponent = power_of_ten(value)
    if exponent is not None:
        return f"10^{{{exponent}}}"
    if value.denominator == 1:
        return str(value)
    written = decimal(value)
    return written if written is not None else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _round(inside: str) -> str:
    simple = "\\frac" not in inside and "\\sum" not in inside
    return f"({inside})" if simple else rf"\left( {inside} \right)"


def _under(label: str) -> str:
    return f"_{{{label}}}" if label else ""


def _letters(letters: tuple[Letter, ...]) -> str:
    names = ",".join(letter.name for letter in letters)
    return f"_{{{names}}}".replace("−", "-").replace("…", r"\dots ")


def position(place: Position | Span) -> str:
    """``t``, ``t-1``, ``2i+r``, ``1:4``."""
    if isinstance(place, Span):
        return f"{place.start}:{place.stop}"
    line = ""
    for variable, coefficient in place.terms:
        name = variable if isinstance(variable, str) else variable.name
        size = "" if abs(coefficient) == 1 else str(abs(coefficient))
        line += ("-" if coefficient < 0 else "+" if line else "") + size + name
    if place.constant or not line:
        sign = "-" if place.constant < 0 else "+" if line else ""
        line += sign + str(abs(place.constant))
    return line
