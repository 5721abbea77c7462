"""A derivation to that of its gradients: reverse mode over reverse mode.

The scalar that is derived is ``s = Σ ⟨v, ∂l/∂x⟩`` with a weight v for each gradient, which is what
a framework differentiates when it is asked for the gradient of a gradient. The upstream gradients,
data before, are inputs now: the backward pass is a function of them too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from gradproof.core.index import Index, at
from gradproof.core.normal import canonical, total
from gradproof.core.program import Derivation, Equation, Program, Tensor, shapes
from gradproof.core.spec import check
from gradproof.core.term import Add, Product, Read, Term, reads, transform
from gradproof.derivation.adjoint import derive

SYMBOL = "∂s/∂"
"""What stands before a tensor's name in the name of its second gradient."""

SCALAR = "s"
"""How pages call what is differentiated again."""


@dataclass(frozen=True, slots=True)
class Again:
    """The program of the gradients and their weighed sum, and the derivation of that.

    ``gradients`` are the names of the gradients in it, ∂l/∂x in parentheses, so that ∂s/∂(∂l/∂x)
    can be read; ``weights`` are those of their weights.
    """

    program: Program
    derivation: Derivation
    gradients: tuple[str, ...]
    weights: tuple[str, ...]


def derive_again(derivation: Derivation, of: Sequence[str], upstream: Collection[str]) -> Again:
    """The gradients of a derivation's gradients.

    Args:
        derivation: the gradients of a loss.
        of: the tensors whose gradients are weighed and added up.
        upstream: the inputs that are upstream gradients.
    """
    named = {name: f"({name})" for name in derivation.gradients.values()}
    weighed = [named[derivation.gradients[name]] for name in of]
    raw = [
        Equation(named[s.equation.target], s.equation.free, _renamed(s.raw, named))
        for s in derivation.steps
    ]
    equations = _needed([*derivation.forward.equations, *raw], weighed)
    known = shapes(Program(derivation.forward.inputs, tuple(equations), ()))
    weights = {gradient: _fresh(f"v{k}", known) for k, gradient in enumerate(weighed, 1)}
    scalar = _fresh(SCALAR, known)
    inputs = tuple(
        replace(t, role="input") if t.name in upstream else t for t in derivation.forward.inputs
    )
    given = tuple(Tensor(v, known[g], "", "data") for g, v in weights.items())
    terms = tuple(_weighed(g, v, known) for g, v in weights.items())
    _, term = canonical((), Add(terms) if len(terms) > 1 else terms[0])
    program = check(Program((*inputs, *given), (*equations, Equation(scalar, (), term)), (scalar,)))
    return Again(program, derive(program, SYMBOL), tuple(weighed), tuple(weights.values()))


def _renamed(term: Term, names: Mapping[str, str]) -> Term:
    return transform(
        term,
        lambda n: Read(names[n.tensor], n.at) if isinstance(n, Read) and n.tensor in names else n,
    )


def _needed(equations: Sequence[Equation], wanted: Collection[str]) -> list[Equation]:
    """The equations that the wanted tensors are made of, in order."""
    needed = set(wanted)
    kept = []
    for equation in reversed(equations):
        if equation.target in needed:
            needed |= {read.tensor for read in reads(equation.term)}
            kept.append(equation)
    return kept[::-1]


def _fresh(name: str, known: Mapping[str, object]) -> str:
    while name in known:
        name += "_"
    return name


def _weighed(gradient: str, weight: str, known: Mapping[str, tuple[int | str, ...]]) -> Term:
    free = tuple(Index(axis, size) for axis, size in enumerate(known[gradient]))
    places = tuple(at(index) for index in free)
    return total(free, Product((Read(weight, places), Read(gradient, places))))
