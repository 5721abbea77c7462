"""Arrays that a kernel saved elsewhere, to a report: inputs, gradients, perhaps its values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from gradproof.blackbox.build import paper_reference
from gradproof.blackbox.likeness import Draw, with_likeness
from gradproof.blackbox.mistaken import name_mistakes, seen
from gradproof.core.errors import DataError
from gradproof.core.told import told
from gradproof.engines.black_box import Returned
from gradproof.engines.contract import CONTRACTS, Contract
from gradproof.engines.dtype import FINE, check_dtype, in_dtype
from gradproof.judge.box import alone, judge_returned
from gradproof.judge.generic import choose_sizes, draw
from gradproof.judge.reference import Data, PaperReference, output
from gradproof.report.checked import CheckReport, CheckRow, Observation
from gradproof.trace.paper import PREFIXES
from gradproof.trace.signature import Signature, positions_of, read_signature, tensors
from gradproof.trace.source import Source
from gradproof.trace.upstream import Weighed, weigh
from gradproof.workbench import contract_words

UPSTREAM = ("g", "dout", "grad_output", "upstream")
"""What a saved upstream gradient may be called, beside the prefixes of claims."""

VALUE = ("out", "value", "y")
"""What a saved value may be called where it has no name in the paper."""


def check_arrays(
    source: Source, arrays: Mapping[str, Any], dtype: str | None, sizes: Mapping[str, int]
) -> CheckReport:
    """Checks saved gradients against a paper.

    Args:
        source: the paper; its forward returns a loss, or a value whose upstream gradient was saved.
        arrays: by name: every input; gradients as ``dx``, ``dl_dx`` or ``grad_x``; the upstream
            gradient as ``g``, ``dout`` or ``grad_output``; values by the names that they have in
            the paper.
        dtype: in which they were computed, that of the first floating input if not given. NumPy
            saves no bfloat16: such numbers are saved as float32.
        sizes: numbers for size symbols that no array says.

    Raises:
        GradproofError: an input is missing, or nothing is there to check.
    """
    names = list(inspect.signature(source.forward).parameters)
    inputs = {name: arrays[name] for name in names if name in arrays}
    missing = [name for name in names if name not in arrays]
    if missing:
        raise DataError(
            told(
                "The file has no {missing}; it has {arrays}.",
                missing=", ".join(missing),
                arrays=", ".join(arrays),
            ),
            advice=told("Save every input under its name in the paper."),
        )
    floats = [np.asarray(a) for value in inputs.values() for a in _listed(value)]
    kind = dtype or next((str(a.dtype) for a in floats if a.dtype.kind == "f"), "float32")
    check_dtype(kind)
    signature = read_signature(source.forward, inputs)
    chosen = choose_sizes(signature, sizes, inputs)
    weighed = weigh(source.forward, signature, chosen, None)
    name = told("{name}, a paper", name=source.name)
    reference = paper_reference(name, weighed, chosen, kind)
    given = draw(signature, chosen, inputs, kind, 0)
    arriving = tuple(_arriving(g, shape, weighed, arrays, kind) for g, shape in _wanted(reference))
    data = Data({t.name: given[t.name] for t in tensors(signature)}, arriving)
    return _judged(reference, data, _saved(signature, weighed, reference.outputs(), arrays), kind)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _wanted(reference: PaperReference) -> list[tuple[str, tuple[int, ...]]]:
    return list(zip(reference.upstream, reference.outputs(), strict=True))


def _arriving(
    symbol: str, shape: tuple[int, ...], weighed: Weighed, arrays: Mapping[str, Any], dtype: str
) -> np.ndarray:
    """The upstream gradient of one output: as saved, or 1 for a loss."""
    place = weighed.upstream.index(symbol)
    named = [f"{p}{weighed.outputs[place]}" for p in PREFIXES] if weighed.outputs else []
    known = (symbol, *named, *(UPSTREAM if len(weighed.upstream) == 1 else ()))
    found = [n for n in known if n in arrays and np.shape(arrays[n]) == shape]
    if found:
        return in_dtype(np.asarray(arrays[found[0]]), dtype)
    if shape == ():
        return np.ones((), in_dtype(np.ones(()), dtype).dtype)
    raise DataError(
        told("The file has no upstream gradient of the shape {shape}.", shape=shape),
        advice=told("Save it as one of {names}.", names=", ".join(dict.fromkeys(known))),
    )


def _saved(
    signature: Signature,
    weighed: Weighed,
    shapes: tuple[tuple[int, ...], ...],
    arrays: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """The saved gradients by the inputs' names, and the saved values."""
    found: dict[str, np.ndarray] = {}
    for name, entry in signature.items():
        for prefix in PREFIXES:
            if f"{prefix}{name}" in arrays:
                listed = _listed(entry)
                values = _listed(arrays[f"{prefix}{name}"])
                found.update({t.name: a for t, a in zip(listed, values, strict=False)})
                break
    for k, of in enumerate(weighed.outputs):
        named = VALUE if len(weighed.outputs) == 1 else ()
        free = [n for n in named if n not in signature and np.shape(arrays.get(n)) == shapes[k]]
        own = [] if of in VALUE else [of]
        found.update({output(k): arrays[n] for n in (*free, *own) if n in arrays})
    whole = {t.name for t in tensors(signature) if positions_of(t) is not None}
    found = {name: np.asarray(array) for name, array in found.items() if name not in whole}
    if not any(not name.startswith("y[") for name in found):
        raise DataError(
            told("The file has no gradients; it has {arrays}.", arrays=", ".join(arrays)),
            advice=told("Save them as d<input>, such as d{next}.", next=next(iter(signature))),
        )
    return found


def loosest(dtype: str) -> Contract:
    """What some engine may do in a dtype: of arrays nobody knows which one made them."""
    known = [c for (_, kind), c in CONTRACTS.items() if kind == dtype]
    names = {name for c in known for name in c.elementary}
    return replace(
        known[0],
        engine="any",
        rounding="faithful" if any(c.rounding == "faithful" for c in known) else "nearest",
        u_accumulate=max((c.u_accumulate for c in known), default=Fraction(0)),
        low_sums=any(c.low_sums for c in known),
        elementary={name: max(c.units(name) for c in known) for name in sorted(names)},
        softmax_of_logsumexp=any(c.softmax_of_logsumexp for c in known),
        flush_to_zero=any(c.flush_to_zero for c in known),
    )


def _judged(
    reference: PaperReference, data: Data, saved: Mapping[str, np.ndarray], dtype: str
) -> CheckReport:
    contract = loosest(dtype)
    enclosure, truth = reference.enclosure(data, contract), reference.truth(data)
    rows = []
    for name, array in saved.items():
        returned = Returned(array, str(array.dtype))
        shape = data.inputs[name].shape if name in data.inputs else enclosure[name][0].shape
        zero = np.zeros(shape)
        found = alone(
            judge_returned(
                returned, enclosure.get(name, (zero, zero, zero)), truth.get(name), contract
            ),
            dtype,
        )
        if found.kind == "refuted" and reference.kinks(data, contract) and name in data.inputs:
            because = told("the function has no derivative at these data")
            found = replace(found, kind="undecided", because=because)
        shown = "×".join(map(str, shape)) if shape else told("scalar")
        symbol = f"∂l/∂{name}" if name in data.inputs else told("value")
        rows.append(CheckRow(name, symbol, shown, found))
    gradients = {n: Returned(a, str(a.dtype)) for n, a in saved.items() if n in data.inputs}
    judged = tuple(rows)
    named = name_mistakes(judged, reference, [seen(reference, data, gradients, contract)])
    if dtype in FINE:
        draws = [Draw(data, gradients, enclosure, contract)]
        named = with_likeness(named, judged, lambda: draws, lambda name: f"∂l/∂{name}")
    given = {t.name for t in reference.paper.forward.inputs if t.role == "data"}
    left = [n for n in data.inputs if n not in saved and n not in given]
    notes = (
        [Observation("note", told("No gradient was saved of {left}.", left=", ".join(left)))]
        if left
        else []
    )
    return CheckReport(
        told("the saved gradients"),
        reference.words,
        told("saved numbers"),
        "",
        dtype,
        0,
        1,
        contract_words(contract),
        0.0,
        named,
        tuple(notes),
        (),
        (),
    )
