"""Factors and terms that are missing, doubled, or have the wrong sign or power."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from gradproof.core.normal import negate, product
from gradproof.core.term import (
    ONE,
    Add,
    Apply,
    Bracket,
    Compare,
    Number,
    Power,
    Product,
    Read,
    SizeOf,
    Term,
    children,
    transform,
    walk,
)
from gradproof.mistakes.record import Mistake, Scene, Wrong, spots, wrong


def _is_slope(factor: Term) -> bool:
    return any(isinstance(node, Apply) and node.order == 1 for node in walk(factor))


def _is_mask(factor: Term) -> bool:
    return any(isinstance(node, Compare | Bracket) for node in walk(factor))


def _is_upstream(factor: Term, scene: Scene) -> bool:
    gradients = set(scene.derivation.gradients.values())
    return any(isinstance(node, Read) and node.tensor in gradients for node in walk(factor))


def _is_number(factor: Term) -> bool:
    return not any(isinstance(node, Read) for node in walk(factor))


def _kind(factor: Term, scene: Scene) -> str:
    if _is_slope(factor):
        return "slope"
    if _is_mask(factor):
        return "mask"
    if _is_number(factor):
        return "number"
    return "upstream" if _is_upstream(factor, scene) else "value"


def _each_factor(scene: Scene) -> Iterator[tuple[Product, int, Callable[[Term], Term]]]:
    for node, put in spots(scene.right.term):
        if isinstance(node, Product):
            for number in range(len(node.factors)):
                yield node, number, put


def _others(node: Product, number: int) -> tuple[Term, ...]:
    return (*node.factors[:number], *node.factors[number + 1 :])


def _missing(kind: str) -> Callable[[Scene], Iterator[Wrong]]:
    def wrongs(scene: Scene) -> Iterator[Wrong]:
        for node, number, put in _each_factor(scene):
            factor = node.factors[number]
            if _kind(factor, scene) == kind:
                yield wrong(scene, put(product(*_others(node, number))), factor=factor)
        if _kind(scene.right.term, scene) == kind == "slope":
            yield wrong(scene, ONE, factor=scene.right.term)

    return wrongs


def _missing_everywhere(scene: Scene) -> Iterator[Wrong]:
    """A tensor left out of all the products, two or more, that it is a factor of."""
    products = [node for node in walk(scene.right.term) if isinstance(node, Product)]
    tensors = [f.tensor for node in products for f in node.factors if isinstance(f, Read)]
    gradients = set(scene.derivation.gradients.values())
    for tensor in dict.fromkeys(tensors):
        if tensors.count(tensor) < 2 or tensor in gradients:
            continue

        def left(node: Term, tensor: str = tensor) -> Term:
            if not isinstance(node, Product):
                return node
            kept = [f for f in node.factors if not (isinstance(f, Read) and f.tensor == tensor)]
            return product(*kept)

        yield wrong(scene, transform(scene.right.term, left), factor=tensor)


def _doubled(scene: Scene) -> Iterator[Wrong]:
    for node, number, put in _each_factor(scene):
        factor = node.factors[number]
        if not _is_number(factor):
            yield wrong(scene, put(product(*node.factors, factor)), factor=factor)


def _inverted(scene: Scene) -> Iterator[Wrong]:
    """Multiplied where it is divided."""
    for node, put in spots(scene.right.term):
        if isinstance(node, Power) and node.exponent < 0:
            yield wrong(scene, put(Power(node.base, -node.exponent)), factor=node.base)


def _other_power(scene: Scene) -> Iterator[Wrong]:
    """A square, a root or a power that is missing, one power too low or too high."""
    for node, put in spots(scene.right.term):
        if isinstance(node, Power) and not isinstance(node.base, SizeOf):
            plain = Fraction(1) if node.exponent > 0 else Fraction(-1)
            others = dict.fromkeys((plain, node.exponent - 1, node.exponent + 1))
            for exponent in others:
                if exponent not in (node.exponent, 0):
                    new = node.base if exponent == 1 else Power(node.base, exponent)
                    yield wrong(scene, put(new), factor=node)


def _each_addend(scene: Scene) -> Iterator[tuple[Add, int, Callable[[Term], Term]]]:
    for node, put in spots(scene.right.term):
        if isinstance(node, Add):
            for number in range(len(node.terms)):
                yield node, number, put


def _is_path(node: Add, scene: Scene) -> bool:
    return node is scene.right.term and all(_is_upstream(term, scene) for term in node.terms)


def _addends(*terms: Term) -> Term:
    return terms[0] if len(terms) == 1 else Add(terms)


def _missing_path(scene: Scene) -> Iterator[Wrong]:
    for node, number, put in _each_addend(scene):
        if _is_path(node, scene):
            rest = (*node.terms[:number], *node.terms[number + 1 :])
            yield wrong(scene, put(_addends(*rest)), addend=node.terms[number])


def _only_path(scene: Scene) -> Iterator[Wrong]:
    for node, number, put in _each_addend(scene):
        if _is_path(node, scene) and len(node.terms) > 2:
            yield wrong(scene, put(node.terms[number]), addend=node.terms[number])


def _missing_addend(scene: Scene) -> Iterator[Wrong]:
    for node, number, put in _each_addend(scene):
        if not _is_path(node, scene):
            rest = (*node.terms[:number], *node.terms[number + 1 :])
            yield wrong(scene, put(_addends(*rest)), addend=node.terms[number])


def _doubled_addend(scene: Scene) -> Iterator[Wrong]:
    for node, number, put in _each_addend(scene):
        term = node.terms[number]
        yield wrong(scene, put(Add((*node.terms, term))), addend=term)


def _addends_sign(scene: Scene) -> Iterator[Wrong]:
    for node, number, put in _each_addend(scene):
        terms = list(node.terms)
        terms[number] = negate(terms[number])
        yield wrong(scene, put(Add(tuple(terms))), addend=node.terms[number])


# --- a small constant that keeps a root or a division from zero ----------------------------------

LARGEST_EPSILON = Fraction(1, 50)


def _is_epsilon(term: Term) -> bool:
    return isinstance(term, Number) and 0 < abs(term.value) <= LARGEST_EPSILON


def _power(node: Term) -> tuple[Term, Fraction] | None:
    """The base and the exponent of a power; of a square root, ½."""
    match node:
        case Power(base, exponent):
            return base, exponent
        case Apply("sqrt", (base,), 0):
            return base, Fraction(1, 2)
        case _:
            return None


def _guarded(node: Term) -> tuple[Term, Fraction, Term, Term] | None:
    """Of ``(v + ε)^e``: the base, e, v and ε."""
    power = _power(node)
    if power is None or not isinstance(power[0], Add):
        return None
    base, exponent = power
    small = [t for t in children(base) if _is_epsilon(t)]
    rest = [t for t in children(base) if not _is_epsilon(t)]
    return (base, exponent, _addends(*rest), small[0]) if small and rest else None


def _epsilon_missing(scene: Scene) -> Iterator[Wrong]:
    bare = transform(scene.right.term, _without_epsilon)
    for node, put in spots(scene.right.term):
        found = _guarded(node)
        if found is not None:
            _, exponent, inside, epsilon = found
            for term in (put(Power(inside, exponent)), bare):
                yield wrong(scene, term, epsilon=epsilon)


def _without_epsilon(node: Term) -> Term:
    found = _guarded(node)
    return node if found is None else Power(found[2], found[1])


def _epsilon_outside(scene: Scene) -> Iterator[Wrong]:
    """``√v + ε`` for ``√(v + ε)``."""
    moved = transform(scene.right.term, _outside)
    for node, put in spots(scene.right.term):
        found = _guarded(node)
        if found is not None and _outside(node) != node:
            for term in (put(_outside(node)), moved):
                yield wrong(scene, term, epsilon=found[3])


def _outside(node: Term) -> Term:
    found = _guarded(node)
    if found is None or found[1].denominator != 2:
        return node
    _, exponent, inside, epsilon = found
    root = Add((Power(inside, Fraction(1, 2)), epsilon))
    return root if exponent == Fraction(1, 2) else Power(root, 2 * exponent)


FACTORS = (
    Mistake("slope missing", "The derivative {factor} is missing.", _missing("slope")),
    Mistake("mask missing", "The mask {factor} is missing.", _missing("mask")),
    Mistake(
        "upstream missing",
        "The upstream gradient {factor} is missing: the chain rule multiplies by it.",
        _missing("upstream"),
    ),
    Mistake("factor missing", "The factor {factor} is missing.", _missing("value")),
    Mistake(
        "factor missing everywhere",
        "The factor {factor} is missing in every term.",
        _missing_everywhere,
    ),
    Mistake("number missing", "The constant factor {factor} is missing.", _missing("number")),
    Mistake("factor doubled", "The factor {factor} stands twice.", _doubled),
    Mistake("multiplied for divided", "It multiplies by {factor} instead of dividing.", _inverted),
    Mistake("wrong power", "The power in {factor} is wrong.", _other_power),
    Mistake(
        "path missing",
        "The value is used in more than one place, and the path that gives {addend} is missing.",
        _missing_path,
    ),
    Mistake(
        "only one path",
        "The value is used in several places, and only the path that gives {addend} is there.",
        _only_path,
    ),
    Mistake("term missing", "The term {addend} is missing.", _missing_addend),
    Mistake("term doubled", "The term {addend} stands twice.", _doubled_addend),
    Mistake("sign of a term", "The term {addend} has the wrong sign.", _addends_sign),
    Mistake("epsilon missing", "The small constant {epsilon} is missing.", _epsilon_missing),
    Mistake(
        "epsilon outside",
        "The small constant {epsilon} was added to the root instead of under it.",
        _epsilon_outside,
    ),
)
