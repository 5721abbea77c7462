"""Another tensor, or another function, in the place of the right one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from gradproof.core.index import Index, at
from gradproof.core.normal import highest, negate, product
from gradproof.core.term import (
    ONE,
    Add,
    Along,
    Apply,
    Number,
    Read,
    Sum,
    Term,
    reads,
)
from gradproof.mistakes.record import Mistake, Scene, Wrong, read, spots, wrong

MOST_OTHERS = 12
"""How many tensors of one shape are tried in the place of one: the nearest in the program."""

RATES = (Fraction(1), Fraction(1, 2), Fraction(1, 10), Fraction(1, 100), Fraction(1, 1000))


def _forward_order(scene: Scene) -> dict[str, int]:
    forward = scene.derivation.forward
    names = [t.name for t in forward.inputs] + [e.target for e in forward.equations]
    return {name: place for place, name in enumerate(names)}


def _alike(name: str, scene: Scene, names: dict[str, int]) -> list[str]:
    """The other tensors of the same shape, the nearest first."""
    shape = scene.shapes[name]
    here = names.get(name, 0)
    others = [n for n in names if n != name and scene.shapes[n] == shape]
    return sorted(others, key=lambda n: abs(names[n] - here))[:MOST_OTHERS]


def family(name: str) -> str:
    """What tensors of neighbouring layers or times share: ``W`` of ``W1``, ``h`` of ``h[3]``."""
    return re.sub(r"[\d\[\]_]+$", "", name)


def _is_input(name: str, scene: Scene) -> bool:
    return any(t.name == name for t in scene.derivation.forward.inputs)


def _other(accept: Callable[[str, str, Scene], bool]) -> Callable[[Scene], Iterator[Wrong]]:
    """Each forward tensor that is read, replaced by another of its shape."""

    def wrongs(scene: Scene) -> Iterator[Wrong]:
        order = _forward_order(scene)
        for node, put in _outside_functions(scene.right.term, order):
            for other in _alike(node.tensor, scene, order):
                if accept(node.tensor, other, scene):
                    term = put(Read(other, node.at))
                    yield wrong(scene, term, wrong=other, right=node.tensor)

    return wrongs


def _outside_functions(
    term: Term, among: dict[str, int]
) -> Iterator[tuple[Read, Callable[[Term], Term]]]:
    """The reads of these tensors that are no argument of a slope: those have their own records."""
    slopes = {r for node, _ in spots(term) if _is_slope(node) for r in reads(node)}
    for node, put in spots(term):
        if isinstance(node, Read) and node.tensor in among and node not in slopes:
            yield node, put


def _is_slope(node: Term) -> bool:
    return isinstance(node, Apply) and node.order == 1


def _neighbours(name: str, other: str, scene: Scene) -> bool:
    return family(name) == family(other)


def _strangers(name: str, other: str, scene: Scene) -> bool:
    return family(name) != family(other)


def _other_gradient(scene: Scene) -> Iterator[Wrong]:
    order = {name: place for place, name in enumerate(scene.derivation.gradients.values())}
    for node, put in spots(scene.right.term):
        if isinstance(node, Read) and node.tensor in order:
            for other in _alike(node.tensor, scene, order):
                # Only what comes before it in the chain: nothing builds on itself.
                if order[other] < order[scene.right.target]:
                    yield wrong(scene, put(Read(other, node.at)), wrong=other, right=node.tensor)


def _updated_weights(scene: Scene) -> Iterator[Wrong]:
    gradients = scene.derivation.gradients
    for node, put in spots(scene.right.term):
        if isinstance(node, Read) and _is_input(node.tensor, scene) and node.tensor in gradients:
            for rate in RATES:
                step = product(Number(-rate), Read(gradients[node.tensor], node.at))
                yield wrong(scene, put(Add((node, step))), tensor=node.tensor, rate=str(rate))


def _extra_weight(scene: Scene) -> Iterator[Wrong]:
    """``g W`` for ``g``: a layer passed once too often, where the sizes allow it."""
    gradients = set(scene.derivation.gradients.values())
    weights = [t for t in scene.derivation.forward.inputs if len(t.shape) == 2]
    for node, put in spots(scene.right.term):
        if isinstance(node, Read) and node.tensor in gradients and node.at:
            last, size = node.at[-1], scene.shapes[node.tensor][-1]
            other = Index(highest(scene.right.term, scene.right.free) + 1, size)
            moved = Read(node.tensor, (*node.at[:-1], at(other)))
            for weight in (w for w in weights if w.shape == (size, size)):
                for places in ((at(other), last), (last, at(other))):
                    passed = Sum((other,), product(moved, Read(weight.name, places)))
                    yield wrong(scene, put(passed), tensor=weight.name)


# --- functions and their derivatives -------------------------------------------------------------


def _slopes(scene: Scene) -> Iterator[tuple[Apply, Callable[[Term], Term]]]:
    for node, put in spots(scene.right.term):
        if isinstance(node, Apply) and node.order == 1:
            yield node, put


def _values_of(node: Apply, scene: Scene) -> set[str]:
    """The forward values that are this function of the same operand."""
    (argument, *_) = node.arguments
    names = {r.tensor for r in reads(argument)}
    return {
        e.target
        for e in scene.derivation.forward.equations
        if isinstance(e.term, Apply)
        and e.term.function == node.function
        and {r.tensor for r in reads(e.term)} == names
    }


def _slope_at(own_value: bool) -> Callable[[Scene], Iterator[Wrong]]:
    def wrongs(scene: Scene) -> Iterator[Wrong]:
        order = _forward_order(scene)
        for node, put in _slopes(scene):
            match node.arguments:
                case (Read(tensor, places),):
                    values = _values_of(node, scene)
                    for other in _alike(tensor, scene, order):
                        if (other in values) == own_value:
                            new = Apply(node.function, (Read(other, places),), 1)
                            yield wrong(scene, put(new), wrong=new, right=tensor, value=other)
                case _:
                    pass

    return wrongs


def _function_for_slope(scene: Scene) -> Iterator[Wrong]:
    for node, put in _slopes(scene):
        yield wrong(scene, put(Apply(node.function, node.arguments)), factor=node)


def _function_once_more(scene: Scene) -> Iterator[Wrong]:
    """``σ(a)`` with a = σ(z) for ``σ′(z)``."""
    for node, put in _slopes(scene):
        match node.arguments:
            case (Read(_, places),):
                for value in sorted(_values_of(node, scene)):
                    new = Apply(node.function, (Read(value, places),))
                    yield wrong(scene, put(new), wrong=new, factor=node)
            case _:
                pass


RULES: dict[str, Callable[[Term], Term]] = {
    "sigmoid": lambda s: product(s, Add((ONE, negate(s)))),
    "tanh": lambda h: Add((ONE, negate(product(h, h)))),
}
"""The derivatives that people write in terms of the function's own value."""


def _rule_on_operand(scene: Scene) -> Iterator[Wrong]:
    """``z(1 − z)`` for ``a(1 − a)``."""
    for node, put in _slopes(scene):
        if node.function in RULES and len(node.arguments) == 1:
            (operand,) = node.arguments
            yield wrong(scene, put(RULES[node.function](operand)), operand=operand)


def _square_missing_in_rule(scene: Scene) -> Iterator[Wrong]:
    """``1 − h`` for ``1 − h²``, or ``1 + h²``; ``s(1 + s)``."""
    for node, put in _slopes(scene):
        if node.function in RULES and len(node.arguments) == 1:
            value = Apply(node.function, node.arguments)
            opposite = Add((ONE, negate(value)))
            more = Add((ONE, value))
            square = product(value, value)
            wrongs: tuple[Term, ...]
            if node.function == "tanh":
                wrongs = (opposite, Add((ONE, square)), negate(square), square)
            else:
                wrongs = (opposite, product(value, more), Add((ONE, negate(square))), square)
            for rule in wrongs:
                yield wrong(scene, put(rule), factor=node)


def _softmax_elementwise(scene: Scene) -> Iterator[Wrong]:
    """``g ⊙ p ⊙ (1 − p)`` for ``p ⊙ (g − Σ g p)``; and ``g ⊙ p``."""
    gradients = scene.derivation.gradients
    for equation in scene.derivation.forward.equations:
        match equation.term:
            case Along("softmax", _, Read(tensor, _), _) if tensor == scene.of:
                p = read(equation.target, scene.right.free)
                g = read(gradients[equation.target], scene.right.free)
                yield wrong(scene, product(g, p, Add((ONE, negate(p)))), value=equation.target)
            case _:
                pass


# --- another gradient in the place of this one ----------------------------------------------------


def _joined(one: str, two: str, scene: Scene) -> bool:
    """Whether one of two forward tensors is computed directly from the other."""
    return any(
        {one, two} & {e.target} and {one, two} & {r.tensor for r in reads(e.term)}
        for e in scene.derivation.forward.equations
    )


def _other_result(direct: bool) -> Callable[[Scene], Iterator[Wrong]]:
    def wrongs(scene: Scene) -> Iterator[Wrong]:
        order = _forward_order(scene)
        gradients = scene.derivation.gradients
        for other in _alike(scene.of, scene, order):
            if other in gradients and _joined(scene.of, other, scene) == direct:
                term = read(gradients[other], scene.right.free)
                yield wrong(scene, term, other=gradients[other], own=scene.right.target)

    return wrongs


def _value_for_gradient(scene: Scene) -> Iterator[Wrong]:
    yield wrong(scene, read(scene.of, scene.right.free), tensor=scene.of)


READINGS = (
    Mistake(
        "slope at the function's value",
        "The derivative is taken at the function's value: {wrong} stands where it belongs at "
        "{right}.",
        _slope_at(own_value=True),
    ),
    Mistake(
        "slope at another value",
        "The derivative is taken at the wrong place: {wrong} stands where it belongs at {right}.",
        _slope_at(own_value=False),
    ),
    Mistake(
        "function for its slope",
        "The function itself stands in the place of its derivative {factor}.",
        _function_for_slope,
    ),
    Mistake(
        "function once more",
        "The function is applied once more, to its own value: {wrong} stands in the place of its "
        "derivative {factor}.",
        _function_once_more,
    ),
    Mistake(
        "rule at the operand",
        "The rule for the derivative, which is in terms of the function's value, was applied to "
        "{operand}.",
        _rule_on_operand,
    ),
    Mistake(
        "rule miswritten",
        "The rule for the derivative {factor} is written wrongly in terms of the function's value.",
        _square_missing_in_rule,
    ),
    Mistake(
        "softmax elementwise",
        "Softmax was differentiated as if it acted on each element alone: p(1−p) with p = {value}.",
        _softmax_elementwise,
    ),
    Mistake(
        "neighbouring layer",
        "{wrong} stands in the place of {right}: a neighbouring layer or time.",
        _other(_neighbours),
    ),
    Mistake("another tensor", "{wrong} stands in the place of {right}.", _other(_strangers)),
    Mistake(
        "extra weight", "It was multiplied by {tensor}, which has no place in it.", _extra_weight
    ),
    Mistake(
        "another upstream",
        "The upstream gradient is {wrong}, where {right} belongs.",
        _other_gradient,
    ),
    Mistake(
        "composite for function",
        "This is {other}, not {own}: the gradient was taken on the other side of a function.",
        _other_result(direct=True),
    ),
    Mistake(
        "another result",
        "This is {other}, not {own}: two results are swapped, or one was copied.",
        _other_result(direct=False),
    ),
    Mistake(
        "value for gradient", "This is {tensor} itself, not its gradient.", _value_for_gradient
    ),
    Mistake(
        "updated weights",
        "{tensor} was used after its update (with the step {rate}), not before it.",
        _updated_weights,
    ),
)
