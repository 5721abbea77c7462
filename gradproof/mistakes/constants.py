"""A right formula times a wrong constant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from gradproof.core.index import Size
from gradproof.core.normal import power, product
from gradproof.core.term import (
    Add,
    Number,
    Power,
    SizeOf,
    Sum,
    Term,
    size_term,
)
from gradproof.mistakes.record import Mistake, Scene, Wrong, spots, wrong


def _times(scene: Scene, factor: Term, **slots: str | Term) -> Wrong:
    return wrong(scene, product(factor, scene.right.term), **slots)


def _by(value: Fraction) -> Callable[[Scene], Iterator[Wrong]]:
    def wrongs(scene: Scene) -> Iterator[Wrong]:
        yield _times(scene, Number(value))

    return wrongs


def sizes_of(scene: Scene) -> list[Size]:
    """Every size of the network, numbers above 1 and symbols, in order of appearance."""
    found: dict[Size, None] = {}
    for shape in scene.shapes.values():
        found.update((size, None) for size in shape if size != 1)
    return list(found)


def called(size: Size) -> str:
    """A size in words: its symbol or its number."""
    return str(size)


def _times_a_size(scene: Scene) -> Iterator[Wrong]:
    for size in sizes_of(scene):
        yield _times(scene, size_term(size), size=called(size))


def _over_a_size(scene: Scene) -> Iterator[Wrong]:
    for size in sizes_of(scene):
        yield _times(scene, Power(size_term(size), Fraction(-1)), size=called(size))


def _times_a_root(scene: Scene) -> Iterator[Wrong]:
    for size in sizes_of(scene):
        for factor in _roots(size, Fraction(1, 2)):
            yield _times(scene, factor, size=called(size))


def _over_a_root(scene: Scene) -> Iterator[Wrong]:
    for size in sizes_of(scene):
        for factor in _roots(size, Fraction(-1, 2)):
            yield _times(scene, factor, size=called(size))


def _roots(size: Size, exponent: Fraction) -> Iterator[Term]:
    """A root as it is read in code: exactly."""
    yield power(SizeOf(size) if isinstance(size, str) else Number(Fraction(size)), exponent)


def _one_less(size: Size) -> Term:
    return Add((size_term(size), Number(Fraction(-1))))


def _sample_for_population(scene: Scene) -> Iterator[Wrong]:
    for size in sizes_of(scene):
        factor = product(size_term(size), Power(_one_less(size), Fraction(-1)))
        yield _times(scene, factor, size=called(size))


def _population_for_sample(scene: Scene) -> Iterator[Wrong]:
    for size in sizes_of(scene):
        factor = product(_one_less(size), Power(size_term(size), Fraction(-1)))
        yield _times(scene, factor, size=called(size))


def _mean_for_sum(scene: Scene) -> Iterator[Wrong]:
    for node, put in spots(scene.right.term):
        if isinstance(node, Sum):
            for index in node.over:
                if index.size != 1:
                    mean = product(Power(size_term(index.size), Fraction(-1)), node)
                    yield wrong(scene, put(mean), size=called(index.size))


CONSTANTS = (
    Mistake(
        "mean for sum",
        "The mean over the {size} terms stands where the sum over them belongs.",
        _mean_for_sum,
    ),
    Mistake("sign", "The sign is wrong: it is −1 times the gradient.", _by(Fraction(-1))),
    Mistake("twice", "It is 2 times the gradient.", _by(Fraction(2))),
    Mistake("half", "It is ½ of the gradient: a factor 2 is missing.", _by(Fraction(1, 2))),
    Mistake(
        "times a size",
        "It is {size} times the gradient, as if a division by {size} were missing.",
        _times_a_size,
    ),
    Mistake(
        "over a size",
        "It is the gradient divided by {size}, as if it were averaged once too often.",
        _over_a_size,
    ),
    Mistake("times a root", "It is √{size} times the gradient.", _times_a_root),
    Mistake("over a root", "It is the gradient divided by √{size}.", _over_a_root),
    Mistake(
        "n−1 for n",
        "It is {size}/({size}−1) times the gradient, as if divided by {size}−1 instead of {size}.",
        _sample_for_population,
    ),
    Mistake(
        "n for n−1",
        "It is ({size}−1)/{size} times the gradient, as if divided by {size} instead of {size}−1.",
        _population_for_sample,
    ),
)
