"""Equations to the convention under which they need the fewest transposes.

One number for each sample is a column beside samples in rows, and so are the weights of a single
output: ``z = x w + b`` with z of n×1 and w of d×1, as every book has it. A matrix is never turned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from gradproof.core.index import Index, is_index, the_index
from gradproof.core.program import Derivation, Equation, shapes
from gradproof.core.term import reads
from gradproof.write.convention import Convention
from gradproof.write.lay import cost
from gradproof.write.matrix import write

MOST = 100
"""How many groups of vectors are tried two at a time."""


def oriented(derivation: Derivation, convention: Convention) -> Convention:
    """The convention with those vectors of a derivation turned that lie better the other way."""
    equations = (*derivation.forward.equations, *derivation.backward.equations)
    known_shapes = shapes(derivation.forward) | shapes(derivation.backward)
    backward = set(derivation.gradients.values())
    vectors = {n for n, shape in known_shapes.items() if len(shape) == 1 and shape[0] != 1}
    groups = _groups(equations, vectors, derivation.gradients)
    named = [_vectors(equation, vectors) for equation in equations]
    group_of = {name: number for number, group in enumerate(groups) for name in group}
    near: dict[int, list[int]] = {number: [] for number in range(len(groups))}
    for e, names in enumerate(named):
        for number in {group_of[name] for name in names}:
            near[number].append(e)
    known: dict[tuple[int, frozenset[str]], int] = {}

    def transposes(number: int, turned: frozenset[str]) -> int:
        key = (number, turned & named[number])
        if key not in known:
            how = replace(convention, turned=key[1])
            # ``z = x w`` and ``∂l/∂w = xᵀ ∂l/∂z``, not the other way round.
            weight = 1 if equations[number].target in backward else 2
            known[key] = weight * cost(write(equations[number], how, shapes=known_shapes))
        return known[key]

    turned = convention.turned
    for together in _moves(groups, near):
        flipped = turned ^ frozenset().union(*(groups[number] for number in together))
        touched = {e for number in together for e in near[number]}
        before = sum(transposes(e, turned) for e in touched)
        if before and sum(transposes(e, flipped) for e in touched) < before:
            turned = flipped
    return replace(convention, turned=turned)


def _moves(
    groups: Sequence[frozenset[str]], near: Mapping[int, list[int]]
) -> Iterator[tuple[int, ...]]:
    """One group, then two that meet in an equation, then one again."""
    yield from ((number,) for number in near)
    if len(groups) <= MOST:
        yield from (
            pair for pair in combinations(near, 2) if set(near[pair[0]]) & set(near[pair[1]])
        )
        yield from ((number,) for number in near)


def _vectors(equation: Equation, vectors: set[str]) -> frozenset[str]:
    named = {equation.target, *(read.tensor for read in reads(equation.term))}
    return frozenset(named & vectors)


def _groups(
    equations: Sequence[Equation], vectors: set[str], gradients: Mapping[str, str]
) -> list[frozenset[str]]:
    """Vectors that stand side by side: read at one index, or a vector and its gradient."""
    group = {name: {name} for name in sorted(vectors)}

    def join(names: Iterable[str]) -> None:
        first, *others = names
        for other in others:
            if group[other] is not group[first]:
                group[first] |= group[other]
                for name in group[other]:
                    group[name] = group[first]

    for tensor, gradient in gradients.items():
        if {tensor, gradient} <= vectors:
            join((tensor, gradient))
    for equation in equations:
        beside: dict[Index, list[str]] = {}
        if equation.target in vectors:
            beside.setdefault(equation.free[0], []).append(equation.target)
        for read in reads(equation.term):
            if read.tensor in vectors and is_index(read.at[0]):
                beside.setdefault(the_index(read.at[0]), []).append(read.tensor)
        for names in beside.values():
            join(names)
    different = {id(members): members for members in group.values()}
    return [frozenset(members) for members in different.values()]
