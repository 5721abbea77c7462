"""What a check is called with to a case: a black box beside its reference, and its data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from gradproof.blackbox.autodiff import confirmed, of_autodiff
from gradproof.blackbox.case import Case
from gradproof.core.errors import DataError, EngineError, GradproofError
from gradproof.core.program import Derivation, Program, Tensor
from gradproof.core.told import told
from gradproof.derivation import derive as derive_program
from gradproof.engines.black_box import BoxFailed, Returned, is_layer
from gradproof.engines.contract import Contract
from gradproof.engines.contract import contract as contract_of
from gradproof.engines.dtype import check_dtype, in_dtype
from gradproof.engines.engine import Engine, load
from gradproof.judge.box_call import Caller
from gradproof.judge.generic import choose_sizes, draw, pairs
from gradproof.judge.reference import Data, PaperReference, Reference, Unbounded
from gradproof.judge.tapes import Tapes
from gradproof.trace.signature import (
    Signature,
    forward_of,
    positions_of,
    read_signature,
    tensors,
)
from gradproof.trace.upstream import Weighed, weigh
from gradproof.workbench import constants_of

FRAMEWORKS = {"torch": "torch", "jax": "jax", "jaxlib": "jax", "tensorflow": "tensorflow"}
"""The package in which a type is defined, and the engine that it belongs to."""

ACCUMULATORS = {"tf32": 11, "bfloat16": 8, "float16": 11}
"""In what a kernel may add up where that is coarser than its engine does, and its bits."""


def build(
    function: Any,
    arguments: Sequence[Any] | Mapping[str, Any] | None,
    reference: Callable[..., Any],
    *,
    dtype: str | None,
    seed: int,
    engine: str | None,
    sizes: Mapping[str, int],
    upstream: str | None,
    wrt: Sequence[str] | None,
    accumulate: str | None,
    timeout: float | None,
    numbers: Mapping[int, int] = {},
) -> Case:
    """Everything that a check needs, from what it is called with; sizes that are `numbers` become
    what these say.

    Raises:
        GradproofError: the call is wrong.
    """
    if isinstance(function, type) and callable(getattr(function, "apply", None)):
        raise DataError(
            told("{name} is a class, not a function.", name=function.__name__),
            advice=told("Check {name}.apply", name=function.__name__),
        )
    if not callable(function) and not is_layer(function):
        raise DataError(
            told(
                "{kind} is neither a function nor an object with forward and backward.",
                kind=type(function).__name__,
            )
        )
    if not callable(reference):
        raise DataError(
            told("The reference is {kind}, not a function.", kind=type(reference).__name__),
            advice=forward_of(reference)
            or told("Give a paper's forward, or a callable in the function's framework."),
        )
    given = _with_lists(_by_name(arguments, *_parameters(reference, upstream), upstream))
    given = {name: _renumbered(value, numbers) for name, value in given.items()}
    machine = load(engine or engine_of(function, given))
    arrays, own = read_arrays(given, machine)
    kind = dtype or own
    check_dtype(kind)
    contract = _accumulating(contract_of(machine.name, kind), accumulate)
    signature = {
        name: [replace(t, shape=_renumbered(t.shape, numbers)) for t in entry]
        if isinstance(entry, list)
        else replace(entry, shape=_renumbered(entry.shape, numbers))
        for name, entry in _signature(reference, arrays).items()
    }
    chosen = choose_sizes(signature, sizes, arrays)
    inside = {name: entry for name, entry in signature.items() if name != upstream}
    inputs = tensors(inside)
    integers = {t.name: np.asarray(a) for t, a in pairs(signature, arrays) if _is_whole(a)}
    floating = [t.name for t in inputs if t.name not in integers and positions_of(t) is None]
    wanted = _wanted(wrt, floating, inputs)
    annotated = bool(getattr(reference, "__annotations__", {}))

    def inputs_of(k: int) -> dict[str, np.ndarray]:
        drawn = draw(signature, chosen, arrays, kind, seed + k)
        kept = {t.name for t in inputs if t.role == "data" and positions_of(t) is None}
        plain = {n: a for n, a in integers.items() if n in kept and not annotated}
        return {t.name: plain.get(t.name, drawn[t.name]) for t in inputs}

    def data_for(shapes: Sequence[tuple[int, ...]]) -> Callable[[int], Data]:
        @lru_cache(maxsize=1)
        def data(k: int) -> Data:
            random = np.random.default_rng([seed, k])
            arriving = tuple(in_dtype(random.normal(0.0, 1.0, shape), kind) for shape in shapes)
            return Data(inputs_of(k), arriving)

        return data

    case = Case(
        function,
        machine,
        Unbounded("", (), lambda data: {}),
        inputs,
        tuple((n, len(e) if isinstance(e, list) else 0) for n, e in inside.items()),
        wanted,
        data_for(()),
        kind,
        contract,
        _device(given),
        Caller(timeout),
        reference,
    )
    if annotated or machine.name == "numpy":
        found: Reference = _paper(reference, signature, chosen, upstream, kind, annotated)
    else:
        found = _callable(reference, signature, chosen, case, data_for)
    return replace(case, reference=found, data=data_for(found.outputs()))


def _renumbered(shape: Any, numbers: Mapping[int, int]) -> Any:
    """A shape, or a list of them, with other numbers; all else as it is."""
    match shape:
        case list():
            return [_renumbered(one, numbers) for one in shape]
        case tuple():
            return tuple(numbers.get(size, size) for size in shape)
        case _:
            return shape


def drawn(
    arguments: Sequence[Any] | Mapping[str, Any] | None,
    reference: Callable[..., Any],
    upstream: str | None,
    ones: int = 1,
) -> dict[str, Any]:
    """Shapes in the place of arguments that no annotation describes: the data are drawn then, with
    as many elements as `ones` says along axes that have one. Integers stay, because nothing says
    what they may be."""
    annotated = getattr(reference, "__annotations__", {})
    return {
        name: value if "int" in str(getattr(value, "dtype", "")) else _shape(value, ones)
        for name, value in _with_lists(
            _by_name(arguments, *_parameters(reference, upstream), upstream)
        ).items()
        if name not in annotated
    }


def _shape(value: Any, ones: int) -> Any:
    if isinstance(value, list):
        return [_shape(one, ones) for one in value]
    if isinstance(value, str):
        return value
    sizes = value if isinstance(value, tuple) else getattr(value, "shape", ())
    return tuple(ones if size == 1 else size for size in sizes)


# --- the reference --------------------------------------------------------------------------------


def _paper(
    reference: Callable[..., Any],
    signature: Signature,
    sizes: Mapping[str, int],
    upstream: str | None,
    dtype: str,
    annotated: bool,
) -> PaperReference:
    name = getattr(reference, "__qualname__", "forward")
    weighed = weigh(reference, signature, sizes, upstream)
    return paper_reference(
        told("{name}, a paper", name=name)
        if annotated
        else told("{name}, read as NumPy", name=name),
        weighed,
        sizes,
        dtype,
    )


def paper_reference(
    name: str, weighed: Weighed, sizes: Mapping[str, int], dtype: str
) -> PaperReference:
    """A paper whose outputs are weighed, as what a function under test is held against.

    Args:
        name: what the report calls it.
        weighed: the paper.
        sizes: a number for each size symbol.
        dtype: in which its constants are given to the function.
    """
    derivation, tapes = _derived(weighed.paper.forward)
    return PaperReference(
        told("{name}; true values by certified arithmetic from its equations", name=name),
        weighed.paper,
        replace(derivation, forward=weighed.paper.forward),
        sizes,
        constants_of(weighed.paper, dtype),
        weighed.upstream,
        weighed.outputs,
        tapes,
    )


@lru_cache(maxsize=8)
def _derived(program: Program) -> tuple[Derivation, Tapes]:
    """A program's gradients and how it was evaluated, of those that were derived last: a test
    checks one function in many ways. Programs are equal whatever lines they come from."""
    return derive_program(program), Tapes()


def _callable(
    reference: Callable[..., Any],
    signature: Signature,
    sizes: Mapping[str, int],
    case: Case,
    data_for: Callable[[Sequence[tuple[int, ...]]], Callable[[int], Data]],
) -> Reference:
    """A callable of the framework: its equations where it can be read as NumPy and autodiff in
    float64 confirms them, else what that autodiff makes of it."""
    machine = case.machine
    plain = case.question(case.data(0), dtype="float64", device="cpu")
    try:
        made = machine.outputs(reference, plain)
    except BoxFailed as problem:
        raise DataError(
            f"{problem}.", advice=told("Call it with the arguments by hand.")
        ) from problem
    if any(one.array is not None and one.array.dtype.kind == "c" for one in made):
        raise DataError(
            told("The reference returns complex numbers."),
            advice=told("Return the real and the imaginary part as two outputs"),
        )
    strange = [one.dtype for one in made if one.array is None]
    if strange:
        several = told("Return a tensor, or several as a tuple: return y, h")
        own = told(
            "Write it with {title}'s own functions, or as a paper: NumPy with shapes as "
            'annotations, as in  x: "n 3"',
            title=machine.title,
        )
        raise DataError(
            told("The reference returns {kind}, not a tensor.", kind=strange[0]),
            advice=own if strange[0] == "ndarray" else several,
        )
    shapes = tuple(one.array.shape for one in made if one.array is not None)
    case = replace(case, data=data_for(shapes))
    data = case.data(0)
    name = name_of(reference)
    if all(positions_of(t) is None and not _is_integer(t, data) for t in case.inputs):
        try:
            read = _paper(reference, signature, sizes, None, case.dtype, False)
        except GradproofError:
            read = None
        if read is not None and read.outputs() == shapes and confirmed(read, reference, case):
            words = told(
                "{name}, read as NumPy and confirmed by {title}'s autodiff in float64",
                name=name,
                title=machine.title,
            )
            return replace(read, words=words)
    return of_autodiff(reference, name, case)


def name_of(reference: Callable[..., Any]) -> str:
    """What a report calls a callable."""
    return str(getattr(reference, "__qualname__", type(reference).__name__))


def _is_integer(tensor: Tensor, data: Data) -> bool:
    return data.inputs[tensor.name].dtype.kind in "iub"


# --- what a check is called with ------------------------------------------------------------------


def _parameters(
    reference: Callable[..., Any], upstream: str | None
) -> tuple[list[str], frozenset[str]]:
    """The reference's parameters but the upstream gradient, and those that have no default."""
    try:
        parameters = inspect.signature(reference).parameters
    except (TypeError, ValueError) as problem:
        raise DataError(
            told("The reference's parameters cannot be seen."),
            advice=told("Wrap it: reference=lambda x, w: layer(x, w)"),
        ) from problem
    for name, one in parameters.items():
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            raise DataError(
                told("The reference takes any arguments, as {name}.", name=name),
                advice=told("Wrap it: reference=lambda x, w: layer(x, w)"),
            )
    found = list(parameters)
    if upstream is not None and upstream not in found:
        raise DataError(
            told(
                "The reference has no parameter {upstream}; it takes {found}.",
                upstream=upstream,
                found=", ".join(found),
            )
        )
    needed = frozenset(name for name, one in parameters.items() if one.default is one.empty)
    return [name for name in found if name != upstream], needed


def _by_name(
    arguments: Sequence[Any] | Mapping[str, Any] | None,
    names: Sequence[str],
    needed: frozenset[str],
    upstream: str | None,
) -> dict[str, Any]:
    if arguments is None:
        return {}
    if isinstance(arguments, Mapping):
        unknown = [name for name in arguments if name not in names]
        if unknown:
            raise DataError(
                told(
                    "The reference has no parameter {unknown}; it takes {names}.",
                    unknown=", ".join(unknown),
                    names=", ".join(names),
                )
            )
        return dict(arguments)
    if not isinstance(arguments, tuple | list):
        raise DataError(
            told("The arguments are {kind}, not a tuple of arrays.", kind=type(arguments).__name__),
            advice=told("For one array write (x,)"),
        )
    if len(arguments) > len(names) or needed & set(names[len(arguments) :]):
        raise DataError(
            told(
                "{count} arguments are given, and the reference takes {count2}: {names}.",
                count=len(arguments),
                count2=len(names),
                names=", ".join(names),
            ),
            advice=told(
                "If {name} is the gradient that arrives, say upstream='{name}'", name=names[-1]
            )
            if upstream is None and len(names) == len(arguments) + 1
            else "",
        )
    return dict(zip(names, arguments, strict=False))  # the others have defaults


def _with_lists(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with lists in the place of tuples of arrays: a tuple of sizes is a shape.

    Raises:
        DataError: arrays stand deeper than in one list.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        is_shape = isinstance(value, tuple) and all(isinstance(one, int | str) for one in value)
        found[name] = list(value) if isinstance(value, tuple) and not is_shape else value
        parts = found[name] if isinstance(found[name], list) else [found[name]]
        for part in parts:
            deeper = isinstance(part, list) and part is not found[name]
            if deeper and not any(hasattr(one, "shape") for one in part):
                raise DataError(
                    told("{name} is a list of lists.", name=name),
                    advice=told("Make an array of it: np.array({name}, np.float32)", name=name),
                )
            if isinstance(part, Mapping) or deeper:
                raise DataError(
                    told(
                        "{name} is a {kind} of arrays.",
                        name=name,
                        kind="dict" if isinstance(part, Mapping) else "list of lists",
                    ),
                    advice=told(
                        "Arguments are arrays and lists of arrays: give each array a parameter, as "
                        'in  lambda w, b: f({{"w": w, "b": b}})'
                    ),
                )
    return found


def _leaves(given: Mapping[str, Any]) -> list[Any]:
    return [
        one
        for value in given.values()
        for one in (value if isinstance(value, list) else [value])
        if not isinstance(one, str | tuple)
    ]


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def engine_of(function: Any, given: Mapping[str, Any]) -> str:
    """The framework of the arguments, or of the function.

    Raises:
        EngineError: neither says it.
    """
    for one in _leaves(given):
        found = FRAMEWORKS.get(_package(type(one)))
        if found is not None:
            return found
    owner = getattr(function, "__self__", None)
    kinds = [*type(function).__mro__]
    if isinstance(owner, type):  # a torch.autograd.Function's apply
        kinds += owner.__mro__
    for kind in kinds:
        if _package(kind) in FRAMEWORKS:
            return FRAMEWORKS[_package(kind)]
    if is_layer(function) or _leaves(given):
        return "numpy"
    raise EngineError(
        told("Neither the arguments nor the function say which framework they belong to."),
        advice=told('Say it, as in  engine="torch"'),
    )


def _device(given: Mapping[str, Any]) -> str:
    """The device of the arguments that are PyTorch's, else the CPU."""
    for one in _leaves(given):
        if _package(type(one)) == "torch":
            return str(one.device)
    return "cpu"


def read_arrays(given: Mapping[str, Any], machine: Engine) -> tuple[dict[str, Any], str]:
    """The arguments as arrays or shapes, and the dtype of the first floating one."""
    dtypes: list[str] = []

    def read(name: str, value: Any) -> Any:
        if isinstance(value, str | tuple):
            return value
        own = isinstance(value, np.ndarray)  # NumPy's arrays are data for every framework
        whole = isinstance(value, bool | int)  # of which an array would be another dtype
        returned = Returned(value, str(value.dtype)) if own else machine.returned(value)
        if returned.array is None or whole:
            raise DataError(
                told(
                    "{name} is {kind}, not an array of {title}.",
                    name=name,
                    kind=type(value).__name__,
                    title=machine.title,
                ),
                advice=told("Constants belong into the function: lambda x: f(x, eps=1e-5)"),
            )
        array = returned.array
        if isinstance(value, np.ma.MaskedArray):
            raise DataError(
                told("{name} is a masked array, whose mask is nothing that is checked.", name=name),
                advice=told(
                    "Give the numbers and the mask apart: {name}.filled(0), and {name}.mask as an "
                    "argument of its own",
                    name=name,
                ),
            )
        if array.dtype.kind in "OSU":
            raise DataError(
                told(
                    "{name} has the dtype {dtype}: these are no numbers.",
                    name=name,
                    dtype=array.dtype,
                )
            )
        if not array.size:
            raise DataError(
                told(
                    "{name} has the shape {shape}: no elements, and so no gradient.",
                    name=name,
                    shape=array.shape,
                ),
                advice=told("Give it at least one row."),
            )
        if array.dtype.kind == "f" and type(value) is not float:
            dtypes.append(returned.dtype)
        return array

    arrays = {
        name: [read(f"{name}[{k}]", one) for k, one in enumerate(value, 1)]
        if isinstance(value, list)
        else read(name, value)
        for name, value in given.items()
    }
    return arrays, dtypes[0] if dtypes else "float32"


def _signature(reference: Callable[..., Any], arrays: Mapping[str, Any]) -> Signature:
    """The reference's tensors; unannotated integers are given, and not differentiated."""
    found = read_signature(reference, arrays)
    return {
        name: replace(entry, role="data")
        if isinstance(entry, Tensor) and not entry.law and _is_whole(arrays.get(name))
        else entry
        for name, entry in found.items()
    }


def _is_whole(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "iub"


def _wanted(
    wrt: Sequence[str] | None, floating: Sequence[str], inputs: Sequence[Tensor]
) -> tuple[str, ...]:
    if wrt is None:
        found = tuple(t.name for t in inputs if t.name in floating and t.role != "data")
        if not found:
            raise DataError(
                told("None of the inputs is differentiated."), advice=told("Name some: wrt=('x',)")
            )
        return found
    unknown = [name for name in wrt if name not in floating]
    if unknown:
        raise DataError(
            told(
                "wrt names {unknown}; the floating inputs are {floating}.",
                unknown=", ".join(unknown),
                floating=", ".join(floating),
            )
        )
    return tuple(wrt)


def _accumulating(contract: Contract, accumulate: str | None) -> Contract:
    if accumulate is None:
        return contract
    if accumulate not in ACCUMULATORS:
        raise DataError(
            told(
                "accumulate is {accumulate!r}, not one of {accumulators}.",
                accumulate=accumulate,
                accumulators=", ".join(ACCUMULATORS),
            ),
            advice=told("Leave it out where sums are in float32 or finer."),
        )
    # The products of a matrix product are made from rounded operands, and added up coarsely.
    u = Fraction(1, 2 ** ACCUMULATORS[accumulate])
    return replace(contract, u_accumulate=max(u, contract.u_accumulate), low_sums=False)
