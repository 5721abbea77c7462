"""Array expressions to the source text of a framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from gradproof.code.array import (
    Along,
    Array,
    Call,
    Compared,
    Count,
    Einsum,
    Gathered,
    Grid,
    Identity,
    Joined,
    Length,
    Matmul,
    Member,
    Minus,
    Name,
    OfMatrix,
    Over,
    Part,
    Permuted,
    PiNumber,
    Plus,
    Raised,
    Rational,
    Reduced,
    Reshaped,
    Series,
    Spread,
    Stacked,
    Taken,
    Tensordot,
    Times,
    Turn,
    is_number,
    walk,
)
from gradproof.code.dialect import AXIS, KEEP, Dialect
from gradproof.core.index import Size
from gradproof.prims.linalg import INVERSE

COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(1, 7)
"""How strongly Python binds what stands at the root of an expression."""

Text = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Ink:
    """A dialect, and the names of size symbols, of tensors, and of the number of a loop's turn."""

    dialect: Dialect
    sizes: Mapping[str, str]
    turn: str


def code(node: Array, ink: Ink, around: int = 0) -> str:
    """An expression as source text, in parentheses where what stands around binds as strongly."""
    said, strength = _said(node, ink)
    return f"({said})" if strength < around else said


def _said(node: Array, ink: Ink) -> Text:
    d = ink.dialect
    match node:
        case Name(name):
            return name, ATOM
        case Member(family, number):
            return f"{family}[{count(number, ink)}]", ATOM
        case Rational(value):
            return _number(value)
        case PiNumber():
            return "math.pi", ATOM
        case Length(size):
            return ink.sizes[size], ATOM
        case Plus((Series() as series,)):
            return f"sum({code(series, ink)})", ATOM
        case Plus():
            return " ".join(_terms(node.terms, ink)), SUM
        case Minus(body):
            said, strength = _said(body, ink)
            return (
                (f"-{said}", min(strength, SIGN)) if strength >= PRODUCT else (f"-({said})", SIGN)
            )
        case Times((first, *rest)):
            parts = [code(first, ink, PRODUCT), *(code(f, ink, SIGN) for f in rest)]
            return " * ".join(parts), PRODUCT
        case Over(above, below):
            return f"{code(above, ink, PRODUCT)} / {code(below, ink, SIGN)}", PRODUCT
        case Raised(base, exponent):
            said, strength = _number(exponent)
            below, power = code(base, ink, ATOM), said if strength >= SIGN else f"({said})"
            simple = below.isidentifier() and strength >= SIGN
            return (f"{below}**{power}" if simple else f"{below} ** {power}"), POWER
        case Call("sqrt", (inside,)) if is_number(inside):
            return f"math.sqrt({code(inside, ink)})", ATOM
        case Call("where", (Compared(relation, left, right, _), *others)):
            condition = f"{code(left, ink, SUM)} {relation} {code(right, ink, SUM)}"
            said = ", ".join((condition, *(code(other, ink) for other in others)))
            return f"{d.functions['where'].partition('(')[0]}({said})", ATOM
        case Call(function, arguments):
            return _call(function, arguments, ink), ATOM
        case Compared(relation, left, right, like):
            sides = [code(side, ink, SUM) for side in (left, right)]
            grids = [_has_grid(side) for side in (left, right)]
            if d.name == "tensorflow" and any(grids) and not is_number(right):
                sides = [
                    s if g else f"tf.cast({s}, tf.int32)" for s, g in zip(sides, grids, strict=True)
                ]
            condition = f"{sides[0]} {relation} {sides[1]}"
            return d.mask.format(condition=condition, like=code(like, ink, ATOM)), ATOM
        case Grid():
            return _grid(node, ink)
        case Matmul():
            return _matmul(node, ink)
        case Tensordot(left, right, (one, other)):
            axes = {"one": list(one), "other": list(other)}
            return d.tensordot.format(a=code(left, ink), b=code(right, ink), **axes), ATOM
        case Einsum(subscripts, left, right):
            return d.einsum.format(s=subscripts, a=code(left, ink), b=code(right, ink)), ATOM
        case Reduced():
            return _reduced(node, ink), ATOM
        case Along(_, body, axis):
            return d.softmax.format(a=code(body, ink), axis=axis), ATOM
        case OfMatrix(function, body):
            template = d.inverse if function == INVERSE else d.logdet
            return template.format(a=code(body, ink)), ATOM
        case Identity(number, like):
            return d.identity.format(n=number, like=code(like, ink, ATOM)), ATOM
        case Permuted(body, order):
            if _is_turn(order):
                a = code(body, ink, ATOM)
                turned = d.turned.format(a=a)
                return (f"{a}.T" if len(order) == 2 and turned.endswith(".mT") else turned), ATOM
            return d.permuted.format(a=code(body, ink), order=order), ATOM
        case Taken(body, parts):
            return f"{code(body, ink, ATOM)}[{_key(parts, ink)}]", ATOM
        case Gathered(body, axis, grid, _):
            spots = code(grid, ink)
            key = spots if d.gathered.startswith("tf.") else ", ".join([":"] * axis + [spots])
            return d.gathered.format(a=code(body, ink, ATOM), key=key, axis=axis), ATOM
        case Reshaped(body, shape):
            sizes = _shape(shape, ink)
            inner = sizes if d.reshaped.startswith("tf.") else sizes[1:-1].removesuffix(",")
            return d.reshaped.format(a=code(body, ink, ATOM), shape=inner), ATOM
        case Spread(body, shape, like):
            return _spread(body, shape, like, ink)
        case Joined(parts, axis):
            said = ", ".join(code(part, ink) for part in parts)
            return d.joined.format(parts=said, axis=axis), ATOM
        case Stacked(parts, axis):
            said = ", ".join(code(part, ink) for part in parts)
            return d.stacked.format(parts=said, axis=axis), ATOM
        case Series(body, first, last):
            return f"{code(body, ink)} for {ink.turn} in {turns(first, last)}", COMPARISON


def _has_grid(node: Array) -> bool:
    return any(isinstance(part, Grid) for part in walk(node))


def turns(first: int, last: int, *, down: bool = False) -> str:
    """The turns of a loop."""
    if down:
        return f"range({last}, {first - 1}, -1)"
    return f"range({first}, {last + 1})" if first else f"range({last + 1})"


def count(number: Count, ink: Ink) -> str:
    """A number that may move with a loop."""
    match number:
        case Turn(offset, 1):
            sign = "+" if offset > 0 else "-"
            return f"{ink.turn} {sign} {abs(offset)}" if offset else ink.turn
        case Turn(offset, _):
            return f"{offset} - {ink.turn}"
        case _:
            return str(number)


def _number(value: Fraction) -> Text:
    if value.denominator == 1:
        return str(value.numerator), ATOM if value >= 0 else SIGN
    decimal = repr(float(value))
    if Fraction(decimal) == value:
        return decimal, ATOM if value >= 0 else SIGN
    return f"{value.numerator} / {value.denominator}", PRODUCT


def parts_of(node: Array, ink: Ink) -> list[str]:
    """A sum or a product in parts that may stand below one another, each with its operator."""
    match node:
        case Plus(terms):
            return _terms(terms, ink)
        case Minus(Plus(terms)) if not any(isinstance(_unsigned(t), Series) for t in terms):
            # The sign is that of every part: there is no bracket around them.
            return _terms(tuple(t.body if isinstance(t, Minus) else Minus(t) for t in terms), ink)
        case Minus(Plus()):
            return [code(node, ink)]
        case Minus(body):
            first, *rest = parts_of(body, ink)
            return [f"-{first}", *rest]
        case Times((first, *rest)):
            return [code(first, ink, PRODUCT), *(f"* {code(f, ink, SIGN)}" for f in rest)]
        case Grid(_, _, None, _):
            return _positions(node, ink)
        case Over(Plus() | Minus(Plus()) as above, below):
            return [code(above, ink, PRODUCT), f"/ {code(below, ink, SIGN)}"]
        case Over(above, below):
            return [*parts_of(above, ink), f"/ {code(below, ink, SIGN)}"]
        case _:
            return [code(node, ink)]


def _unsigned(node: Array) -> Array:
    return node.body if isinstance(node, Minus) else node


def _terms(terms: tuple[Array, ...], ink: Ink) -> list[str]:
    parts: list[str] = []
    for term in terms:
        minus = isinstance(term, Minus)
        body = term.body if isinstance(term, Minus) else term
        if isinstance(body, Series):
            part = f"sum({code(body, ink)})"
        else:
            part = code(body, ink, PRODUCT if minus else SUM)
        if parts:
            parts.append(f"- {part}" if minus else f"+ {part}")
        else:
            parts.append(code(term, ink) if minus else part)
    return parts


def _call(function: str, arguments: tuple[Array, ...], ink: Ink) -> str:
    template = ink.dialect.functions.get(function)
    if ink.dialect.name == "torch" and function in BOUNDED and is_number(arguments[1]):
        template = BOUNDED[function]
    if template is None:
        return f"{function}({', '.join(code(a, ink) for a in arguments)})"
    return template.format(
        *(
            code(a, ink, SIGN if any(f"{{{k}}}{sign}" in template for sign in SIGNS) else 0)
            for k, a in enumerate(arguments)
        )
    )


BOUNDED = {
    "maximum": "torch.clamp({0}, min={1})",
    "minimum": "torch.clamp({0}, max={1})",
}
"""What PyTorch calls a maximum with a number."""

SIGNS = (" * ", " > ", " != ")
"""What may stand behind an argument in a template."""


def _grid(grid: Grid, ink: Ink) -> Text:
    d = ink.dialect
    parts = _positions(grid, ink)
    said = " ".join(parts)
    if grid.within is None:
        whole = len(parts) == 1 and not parts[0].startswith("-") and " * " not in said
        return said, ATOM if whole else SUM
    last = grid.within - 1 if isinstance(grid.within, int) else f"{_size(grid.within, ink)} - 1"
    return d.within.format(a=said, last=last), ATOM


def _positions(grid: Grid, ink: Ink) -> list[str]:
    """What is added up to a grid, each with its operator."""
    device = "" if grid.like is None else f", device={code(grid.like, ink, ATOM)}.device"
    rank = len(grid.places)
    parts: list[str] = []
    spots = [(spot, place) for spot, place in enumerate(grid.places) if place is not None]
    for spot, (coefficient, size) in sorted(spots, key=lambda one: one[1][0] < 0):
        part = ink.dialect.positions.format(size=_size(size, ink), device=device)
        part += "[:" + ", None" * (rank - spot - 1) + "]" if rank - spot > 1 else ""
        part = f"{abs(coefficient)} * {part}" if abs(coefficient) != 1 else part
        if parts:
            parts.append(f"- {part}" if coefficient < 0 else f"+ {part}")
        else:
            parts.append(f"-{part}" if coefficient < 0 else part)
    if grid.constant:
        parts.append(f"+ {grid.constant}" if grid.constant > 0 else f"- {-grid.constant}")
    return parts


def _is_turn(order: tuple[int, ...]) -> bool:
    """Whether only the last two axes change places."""
    return order == (*range(len(order) - 2), len(order) - 1, len(order) - 2)


def _matmul(node: Matmul, ink: Ink) -> Text:
    left, right = node.left, node.right
    if ink.dialect.name != "tensorflow":
        said = f"{code(left, ink, PRODUCT)} @ {code(right, ink, SIGN)}"
        return said, PRODUCT
    # TensorFlow has no vectors in a matrix product, and transposes inside one without a copy.
    flags = ""
    if node.ranks == (1, 1):
        return f"tf.tensordot({code(left, ink)}, {code(right, ink)}, 1)", ATOM
    if node.ranks[0] == 1:
        turned = isinstance(right, Permuted) and _is_turn(right.order)
        inside = right.body if isinstance(right, Permuted) and turned else right
        flag = "" if turned else ", transpose_a=True"
        return f"tf.linalg.matvec({code(inside, ink)}, {code(left, ink)}{flag})", ATOM
    for side, operand in (("a", left), ("b", right)):
        if isinstance(operand, Permuted) and _is_turn(operand.order):
            flags += f", transpose_{side}=True"
    left = left.body if isinstance(left, Permuted) and "_a" in flags else left
    right = right.body if isinstance(right, Permuted) and "_b" in flags else right
    if node.ranks[1] == 1:
        return f"tf.linalg.matvec({code(left, ink)}, {code(right, ink)}{flags})", ATOM
    if flags:
        return f"tf.matmul({code(left, ink)}, {code(right, ink)}{flags})", ATOM
    return f"{code(left, ink, PRODUCT)} @ {code(right, ink, SIGN)}", PRODUCT


def _reduced(node: Reduced, ink: Ink) -> str:
    d = ink.dialect
    template = {"sum": d.total, "max": d.largest, "logsumexp": d.logsumexp}[node.function]
    axis, keep = "", ""
    if not node.everything or node.function == "logsumexp":
        spots = node.axes[0] if len(node.axes) == 1 else tuple(node.axes)
        axis = f", {AXIS[d.name]}={spots}"
    if node.keep:
        keep = f", {KEEP[d.name]}=True"
    return template.format(a=code(node.body, ink), axis=axis, keep=keep)


def _key(parts: tuple[Part, ...], ink: Ink) -> str:
    said = []
    for part in parts:
        match part:
            case "all":
                said.append(":")
            case "new":
                said.append("None")
            case (start, stop):
                said.append(f"{start or ''}:{stop}")
            case number:
                said.append(count(number, ink))
    while len(said) > 1 and said[-1] == ":":
        said.pop()
    return ", ".join(said)


def _size(size: Size, ink: Ink) -> str:
    return str(size) if isinstance(size, int) else ink.sizes[size]


def _shape(shape: tuple[Size, ...], ink: Ink) -> str:
    said = ", ".join(_size(size, ink) for size in shape)
    return f"({said},)" if len(shape) == 1 else f"({said})"


def _spread(body: Array, shape: tuple[Size, ...], like: Array, ink: Ink) -> Text:
    d = ink.dialect
    sizes = _shape(shape, ink)
    if is_number(body):
        reference = code(like, ink, ATOM)
        return d.spread.format(a=code(body, ink), shape=sizes, like=reference), ATOM
    prefix = {"numpy": "np", "torch": "torch", "jax": "jnp", "tensorflow": "tf"}[d.name]
    return f"{prefix}.broadcast_to({code(body, ink)}, {sizes})", ATOM
