"""The numbers of layers to superscripts: ``W2`` is called ``W⁽2⁾``, which every ink raises.

Typography alone: no equation changes, only what its tensors are called where they are printed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from gradproof.core.program import DIFFERENTIAL, Derivation, shapes
from gradproof.core.term import reads
from gradproof.write.convention import GRADIENT
from gradproof.write.loops import member
from gradproof.write.notation import Notation, Sliced, Symbol


@dataclass(frozen=True, slots=True)
class Layers:
    """Whose number is that of a layer: ``stems`` has it for single tensors, W for W2, and
    ``families`` are those whose members are counted by layers, as a[1], a[2], … of a loop over a
    list of weights."""

    stems: Mapping[str, tuple[str, str]]
    families: frozenset[str]


NONE = Layers({}, frozenset())


def layers_of(derivation: Derivation) -> Layers:
    """What a derivation's names say of layers.

    ``h0`` beside ``h[1]``, which a loop starts with, has no layer's number, and neither has ``h_1``
    beside ``h``: that is a part of h without a name of its own.
    """
    known = shapes(derivation.forward)
    families = {found[0] for name in known if (found := member(name)) is not None}
    stems: dict[str, tuple[str, str]] = {}
    for name in known:
        match = re.fullmatch(r"([^\W\d]*[^\W\d_])(_?)(\d+)", name)
        if match is None:
            continue
        stem, line, number = match.groups()
        if stem not in families and not (line and stem in known):
            stems[name] = (stem, number)
    return Layers(stems, _counted_by_layers(derivation))


def _counted_by_layers(derivation: Derivation) -> frozenset[str]:
    """The lists of weights, and the families of what a loop over them computes."""
    found: set[str] = set()
    for tensor in derivation.forward.inputs:
        one, first = member(tensor.name), tensor.shape[:1]
        # Weights have no axis of samples, as what a loop over time is given has.
        if one is not None and not any(isinstance(size, str) for size in first):
            found.add(one[0])
    for equation in derivation.forward.equations:
        target = member(equation.target)
        beside = (member(read.tensor) for read in reads(equation.term))
        if target is not None and any(one is not None and one[0] in found for one in beside):
            found.add(target[0])
    return frozenset(found)


def raised_name(name: str, layers: Layers) -> str:
    """A name with its layer's number raised: ``∂l/∂W⁽2⁾`` for ``∂l/∂W2``, ``a⁽t−1⁾`` for
    ``a[t−1]``, ``h⁽2⁾[t]`` for ``h2[t]``."""
    sign, found, tensor = name.rpartition(GRADIENT)
    base, bracket, turn = tensor.partition("[")
    inside, closed, tail = turn.partition("]")
    if bracket and closed and base.removeprefix(DIFFERENTIAL) in layers.families:
        tensor = f"{base}⁽{inside}⁾{tail}"
    else:
        start = DIFFERENTIAL if base.startswith(DIFFERENTIAL) else ""
        stem, number = layers.stems.get(base.removeprefix(start), ("", ""))
        tensor = f"{start}{stem}⁽{number}⁾{bracket}{turn}" if stem else tensor
    return f"{sign}{found}{tensor}"


def raised(notation: Notation, layers: Layers) -> Notation:
    """A notation in which every tensor's layer is raised."""
    if isinstance(notation, Symbol | Sliced):
        return replace(notation, name=raised_name(notation.name, layers))
    changed: dict[str, object] = {}
    for one in fields(notation):
        value = getattr(notation, one.name)
        if isinstance(value, Notation):
            changed[one.name] = raised(value, layers)
        elif isinstance(value, tuple) and value and isinstance(value[0], Notation):
            changed[one.name] = tuple(raised(part, layers) for part in value)
    return replace(notation, **changed)  # type: ignore[arg-type]
