"""JAX as an engine: eager operations, differentiated by `jax.value_and_grad`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any, final

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from gradproof.core.told import told
from gradproof.engines.backward_program import (
    BackwardProgram,
    Numbered,
    Operand,
    Operation,
    Table,
    Unattempted,
    read_back,
)
from gradproof.engines.black_box import (
    Answer,
    BoxFailed,
    Question,
    Returned,
    check_outputs,
    said_of,
    several,
)
from gradproof.engines.engine import Argument, Engine, NativeRun, Run
from gradproof.engines.face import (
    Arithmetic,
    Recording,
    read_inputs,
    read_kept,
    read_loss,
)
from gradproof.prims.gather import numpy_key
from gradproof.prims.window import FIRST, Sliding

try:
    from jax import enable_x64
except ImportError:  # before JAX 0.8
    from jax.experimental import enable_x64


def _mask(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: compare(a, b).astype(a.dtype)


def _array(tensor: Any) -> np.ndarray:
    return np.array(tensor.astype(jnp.float32) if tensor.dtype == jnp.bfloat16 else tensor)


def _numbers(sliding: Sliding) -> tuple[str, str, str]:
    """The letters of samples, kernel and result, as JAX names axes."""
    letters = "HW"[: len(sliding.stride)]
    if sliding.layout == FIRST:
        return f"NC{letters}", f"OI{letters}", f"NC{letters}"
    return f"N{letters}C", f"{letters}IO", f"N{letters}C"


def _convolve(x: Any, w: Any, sliding: Sliding) -> Any:
    return jax.lax.conv_general_dilated(
        x,
        w,
        sliding.stride,
        sliding.padding,
        rhs_dilation=sliding.dilation,
        dimension_numbers=_numbers(sliding),
        feature_group_count=sliding.groups,
    )


def _convolve_transposed(x: Any, w: Any, sliding: Sliding) -> Any:
    """With zeros between the samples and a turned kernel: what a convolution's gradient is."""
    count = len(sliding.stride)
    first, last, result = _numbers(sliding)
    window = range(2, 2 + count) if sliding.layout == FIRST else range(count)
    reach = [d * (w.shape[a] - 1) for d, a in zip(sliding.dilation, window, strict=True)]
    return jax.lax.conv_general_dilated(
        x,
        jnp.flip(w, tuple(window)),
        (1,) * count,
        [(r - low, r - high) for r, (low, high) in zip(reach, sliding.padding, strict=True)],
        lhs_dilation=sliding.stride,
        rhs_dilation=sliding.dilation,
        dimension_numbers=(first, last.translate(str.maketrans("OI", "IO")), result),
    )


def _reduced(x: Any, window: tuple[int, ...], sliding: Sliding, start: float, join: Any) -> Any:
    spatial = sliding.spatial(x.ndim)
    lengths = [1] * x.ndim
    steps = [1] * x.ndim
    for axis, length, step in zip(spatial, window, sliding.stride, strict=True):
        lengths[axis], steps[axis] = length, step
    return jax.lax.reduce_window(x, np.asarray(start, x.dtype), join, lengths, steps, "VALID")


def _average(x: Any, window: tuple[int, ...], sliding: Sliding) -> Any:
    return _reduced(x, window, sliding, 0.0, jax.lax.add) / int(np.prod(window))


def _largest(x: Any, window: tuple[int, ...], sliding: Sliding) -> Any:
    return _reduced(x, window, sliding, -np.inf, jax.lax.max)


def _windows(x: Any, axis: int, length: int) -> Any:
    places = np.arange(x.shape[axis] - length + 1)[:, None] + np.arange(length)
    return jnp.moveaxis(jnp.take(x, places, axis=axis), axis + 1, -1)


JAX = Arithmetic(
    functions={
        "add": jnp.add,
        "subtract": jnp.subtract,
        "multiply": jnp.multiply,
        "divide": jnp.divide,
        "negative": jnp.negative,
        "square": jnp.square,
        "reciprocal": jnp.reciprocal,
        "power": lambda x, exponent: x**exponent,
        "matmul": jnp.matmul,
        "sum": lambda x, axes, keepdims: jnp.sum(x, axis=axes, keepdims=keepdims),
        "greater": _mask(jnp.greater),
        "greater_equal": _mask(jnp.greater_equal),
        "equal": _mask(jnp.equal),
        "transpose": lambda x, order: jnp.transpose(x, order),
        "getitem": lambda x, key: x[key],
        "gather": lambda x, *indices, key: x[numpy_key(key, indices, x.shape)],
        "add_at": lambda x, new, *indices, key: x.at[numpy_key(key, indices, x.shape)].add(new),
        "one_hot": lambda index, size: jax.nn.one_hot(index, size),
        "reshape": lambda x, sizes: jnp.reshape(x, sizes),
        "broadcast": lambda x, sizes: jnp.broadcast_to(x, sizes),
        "concatenate": lambda *xs, axis: jnp.concatenate(xs, axis=axis),
        "einsum": lambda *xs, signature: jnp.einsum(signature, *xs),
        "convolve": _convolve,
        "convolve_transposed": _convolve_transposed,
        "average_windows": _average,
        "largest_windows": _largest,
        "windows": _windows,
        "pad": lambda x, width: jnp.pad(x, width),
        "cumsum": lambda x, axis: jnp.cumsum(x, axis=axis),
        "triangle": lambda x, diagonal, upper: (jnp.triu if upper else jnp.tril)(x, diagonal),
        "setitem": lambda x, new, key: x.at[key].set(new),
        "inverse": jnp.linalg.inv,
        "logdet": lambda x: jnp.linalg.slogdet(x)[1],
        "exp": jnp.exp,
        "log": jnp.log,
        "sqrt": jnp.sqrt,
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
        "sin": jnp.sin,
        "cos": jnp.cos,
        "erf": jax.scipy.special.erf,
        "sinh": jnp.sinh,
        "cosh": jnp.cosh,
        "sign": jnp.sign,
        "silu": jax.nn.silu,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
        "relu": jax.nn.relu,
        "abs": jnp.abs,
        "maximum": jnp.maximum,
        "minimum": jnp.minimum,
        "where": lambda mask, a, b: jnp.where(mask != 0, a, b),
        "max": lambda x, axis, keepdims: jnp.max(x, axis=axis, keepdims=keepdims),
        "logsumexp": lambda x, axis, keepdims: jax.nn.logsumexp(x, axis=axis, keepdims=keepdims),
        "softmax": lambda x, axis: jax.nn.softmax(x, axis=axis),
    },
    tensor=jnp.asarray,
    cast=lambda tensor, dtype: tensor.astype(dtype),
    array=_array,
)


@contextmanager
def settings() -> Iterator[None]:
    """On the CPU, in the precision that the arrays have; the user's own settings stay."""
    with (
        enable_x64(True),  # without it float64 becomes float32; with it float32 stays
        jax.default_device(jax.devices("cpu")[0]),
        jax.default_matmul_precision("highest"),
    ):
        yield


_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr"}
_CALLS |= {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
_CALLS |= {"remat2": "jaxpr", "checkpoint": "jaxpr"}
"""Operations that only call another jaxpr, and the parameter that holds it."""


MOST = 10_000
"""Operations that a loop is written out as, at most."""

_MOVING = frozenset(
    {
        "gather",
        "dynamic_slice",
        "scatter",
        "dynamic_update_slice",
        "tile",
        "stack",
        "unstack",
        "split",
    }
)
"""Operations whose every result is an element of one of their tensors."""

_ORDERED = frozenset({"sort", "top_k", "argmax", "argmin"})
"""Operations that put an axis in order."""

_STEPS = frozenset({"floor", "ceil", "round", "sign"})
"""Operations on constants that round nothing."""


@final
@dataclass(frozen=True, slots=True)
class _Unread:
    """A result that nothing may read."""

    name: str


@final
class Flat:
    """A jaxpr written out as one list of operations; what depends on no tensor is worked out."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.numbers: Iterator[int] = count()
        self.constants: dict[int, np.ndarray] = {}
        self.precision = "float64"

    def enter(self, jaxpr: Any, constants: Any, operands: Sequence[Any]) -> list[Operand]:
        """Writes out one jaxpr, and gives what it returns."""
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, map(_constant, constants), strict=True))
        known.update(zip(jaxpr.invars, operands, strict=True))

        def read(variable: Any) -> Any:
            if isinstance(variable, jax.extend.core.Literal):
                return _constant(variable.val)
            return known[variable]

        for equation in jaxpr.eqns:
            results = self._equation(equation, [read(v) for v in equation.invars])
            known.update(zip(equation.outvars, results, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _equation(self, equation: Any, operands: list[Any]) -> list[Any]:
        name, parameters = equation.primitive.name, equation.params
        if name in _CALLS:
            return self._called(parameters[_CALLS[name]], operands)
        if name == "cond" and isinstance(operands[0], np.ndarray):
            return self._called(parameters["branches"][int(operands[0])], operands[1:])
        if name == "scan":
            return self._scan(equation, operands)
        if name == "lu":  # who solves is not read, only what is solved
            return [_Unread(name)] * len(equation.outvars)
        if name == "custom_linear_solve":
            return [self._solved(equation, operands)]
        exact = name in _STEPS or equation.outvars[0].aval.dtype.kind != "f"
        if all(isinstance(one, np.ndarray) for one in operands) or exact:
            values = [self._value(operand) for operand in operands]
            if all(value is not None for value in values):
                return list(map(_constant, _worked_out(equation, values)))
        shapes = [tuple(int(size) for size in v.aval.shape) for v in equation.outvars]
        if name in _ORDERED:
            return self._ordered(equation, operands, shapes)
        if name in ("gather", "scatter-add") and self._value(operands[1]) is None:
            return [self._at(equation, operands, shapes[0])]
        if name in _MOVING:
            return self._moved(equation, operands, shapes)
        if len(shapes) != 1:
            raise Unattempted(told("operation {name}", name=name))
        values = [self._value(operand) for operand in operands]
        plain = _whole if self._counts(equation, operands) else _plain
        written = self._write(*plain(equation, operands), shapes[0])
        if all(value is not None for value in values):
            (self.constants[written.number],) = _worked_out(equation, values)
        elif name != "convert_element_type" or equation.invars[0].aval.dtype != np.bool_:
            self._note(equation.outvars[0].aval.dtype)  # a mask rounds nothing
        return [written]

    def _counts(self, equation: Any, operands: list[Any]) -> bool:
        """Whether an operation reads whole numbers that depend on what enters."""
        return any(
            v.aval.dtype.kind in "iu" and self._value(operand) is None
            for v, operand in zip(equation.invars, operands, strict=True)
        )

    def _ordered(
        self, equation: Any, operands: list[Any], shapes: list[tuple[int, ...]]
    ) -> list[Any]:
        """What puts the elements of an axis in order: these, and where they stand.

        Raises:
            Unattempted: it puts other things in order, or by several keys.
        """
        name, own = equation.primitive.name, equation.params
        axis = own.get("dimension", own.get("axis"))
        if name in ("argmax", "argmin"):
            (axis,) = own["axes"] if len(own["axes"]) == 1 else (None,)
        if axis is None or own.get("num_keys", 1) != 1:
            raise Unattempted(told("operation {name}", name=name))
        count = np.arange(equation.invars[0].aval.shape[axis])
        for other in operands[1:]:
            value = self._value(other)
            moved = None if value is None else np.moveaxis(value, axis, -1)
            if moved is None or not np.array_equal(moved, np.broadcast_to(count, moved.shape)):
                raise Unattempted(told("operation {name}", name=f"{name} of several arrays"))
        attributes = {"axis": int(axis), "k": int(own.get("k", len(count)))}
        self._note(equation.invars[0].aval.dtype)
        names = [name, *(f"{name}:1" for _ in shapes[1:])]
        return [
            self._write(one, operands[:1], attributes, shape)
            for one, shape in zip(names, shapes, strict=True)
        ]

    def _at(self, equation: Any, operands: list[Any], shape: tuple[int, ...]) -> Numbered:
        """A gather or a scatter at places that the order of numbers says: where they are if all
        numbers are 0, and how far one more is."""
        own, numbers = equation.params, equation.params["dimension_numbers"]
        tensor, indices = (v.aval.shape for v in equation.invars[:2])
        zeros = jnp.zeros(indices, equation.invars[1].aval.dtype)
        counted = jnp.arange(float(np.prod(tensor))).reshape(tensor)
        if equation.primitive.name == "gather":
            axes, window = numbers.start_index_map, numbers.offset_dims
            sizes, name = own["slice_sizes"], "gather_at"
            made = equation.primitive.bind(counted, zeros, **own)
        else:
            axes, window = numbers.scatter_dims_to_operand_dims, numbers.update_window_dims
            name, updates = "add_at", equation.invars[2].aval.shape
            beside = {*numbers.inserted_window_dims, *map(int, numbers.operand_batching_dims)}
            wide = iter(updates[axis] for axis in window)
            sizes = [1 if k in beside else next(wide) for k in range(len(tensor))]

            def scattered(new: Any) -> Any:
                return equation.primitive.bind(jnp.zeros(tensor), zeros, new, **own)

            _, pulled = jax.vjp(scattered, jnp.zeros(updates))
            made = pulled(counted)[0]
        base = np.asarray(made).astype(np.int64)
        chosen = {
            "base": base,
            "strides": tuple(int(np.prod(tensor[axis + 1 :])) for axis in axes),
            "lengths": tuple(int(tensor[axis] - sizes[axis] + 1) for axis in axes),
            "kept": tuple(1 if k in window else n for k, n in enumerate(base.shape)),
        }
        return self._write(name, operands, chosen, shape)

    def _solved(self, equation: Any, operands: list[Any]) -> Numbered:
        """The solution of a system of equations that a function of the unknowns states.

        Raises:
            Unattempted: it is no product with one matrix.
        """
        lengths, functions = equation.params["const_lengths"], equation.params["jaxprs"]
        right = equation.invars[sum(lengths) :]
        matrix, shape = equation.invars[0].aval, right[0].aval.shape
        if lengths.matvec != 1 or len(right) != 1 or matrix.ndim != 2 or len(shape) not in (1, 2):
            raise Unattempted(told("operation {name}", name="custom_linear_solve"))
        random = np.random.default_rng(0)
        a, b = (jnp.asarray(random.standard_normal(s)) for s in (matrix.shape, shape))
        stated = functions.matvec
        (product,) = _without_rules(stated.jaxpr, stated.consts, (a, b))
        # A product is linear in both: one that is the same for random numbers is the same.
        for rows in (False, True)[: len(shape)]:
            for turned in (False, True):
                full = a.T if turned else a
                if full.shape[1] != shape[-1 if rows else 0]:
                    continue
                like = b @ full.T if rows else full @ b
                if product.shape == like.shape and jnp.allclose(product, like, 1e-9, 1e-9):
                    given = [operands[0], operands[sum(lengths)]]
                    settings = {"rows": rows, "turned": turned}
                    return self._write("linear_solve", given, settings, shape)
        raise Unattempted(told("operation {name}", name="custom_linear_solve"))

    def _note(self, dtype: Any) -> None:
        """Notes a dtype in which something is computed.

        Raises:
            Unattempted: it has 16 bits.
        """
        if dtype == np.float32:
            self.precision = "float32"
        elif jnp.issubdtype(dtype, jnp.floating) and dtype != np.float64:
            raise Unattempted(told("conversion to {kind}", kind=dtype.name))

    def _write(
        self, name: str, operands: Sequence[Any], attributes: Any, shape: tuple[int, ...]
    ) -> Numbered:
        for operand in operands:
            if isinstance(operand, _Unread):
                raise Unattempted(told("operation {name}", name=operand.name))
        number = next(self.numbers)
        given = tuple(_truths(operand) for operand in operands)
        self.operations.append(Operation(name, given, attributes, number, shape))
        return Numbered(number)

    def _called(self, inside: Any, operands: Sequence[Any]) -> list[Any]:
        return self.enter(getattr(inside, "jaxpr", inside), getattr(inside, "consts", ()), operands)

    def _value(self, operand: Any) -> np.ndarray | None:
        """The numbers of an operand that depends on no tensor."""
        match operand:
            case np.ndarray():
                return operand
            case Table(array):
                return array
            case Fraction() | float():
                return np.asarray(float(operand))
            case Numbered(number):
                return self.constants.get(number)
            case _:
                return None

    def _scan(self, equation: Any, operands: list[Any]) -> list[Any]:
        """A loop, written out.

        Raises:
            Unattempted: it is long.
        """
        parameters = equation.params
        fixed, carried = parameters["num_consts"], parameters["num_carry"]
        inside, length = parameters["jaxpr"], int(parameters["length"])
        if length * len(inside.jaxpr.eqns) > MOST:
            raise Unattempted(told("a loop of {length} steps", length=length))
        constants, state = operands[:fixed], operands[fixed : fixed + carried]
        lists = operands[fixed + carried :]
        shapes = [v.aval.shape[1:] for v in equation.invars[fixed + carried :]]
        made: list[list[Any]] = []
        steps = range(length)
        for step in reversed(steps) if parameters["reverse"] else steps:
            parts = [self._part(x, step, s) for x, s in zip(lists, shapes, strict=True)]
            results = self._called(inside, [*constants, *state, *parts])
            state, one = results[:carried], results[carried:]
            made.append(one)
        if parameters["reverse"]:
            made.reverse()
        several = equation.outvars[carried:]
        stacked = [self._stacked([one[k] for one in made], v.aval) for k, v in enumerate(several)]
        return [*state, *stacked]

    def _part(self, whole: Any, step: int, shape: tuple[int, ...]) -> Any:
        """One of those along the first axis."""
        if isinstance(whole, np.ndarray):
            return whole[step]
        if isinstance(whole, Table):
            return _constant(whole.array[step])
        size = int(np.prod(shape))
        places = np.arange(step * size, (step + 1) * size).reshape(shape)
        return self._write("take", [whole], {"places": places}, tuple(map(int, shape)))

    def _stacked(self, parts: list[Any], like: Any) -> Any:
        shape = tuple(int(size) for size in like.shape)
        if not parts or all(isinstance(one, np.ndarray) for one in parts):
            return _constant(np.asarray(parts, like.dtype).reshape(shape))
        places = np.arange(int(np.prod(shape))).reshape(shape)
        size = int(np.prod(shape[1:]))
        zeros = Table(np.zeros(shape[1:]))
        full = [  # a number stands for a whole tensor of it
            one if isinstance(one, Numbered | Table) else self._filled(one, zeros, shape[1:])
            for one in parts
        ]
        assert size * len(full) == places.size
        return self._write("take", full, {"places": places}, shape)

    def _filled(self, number: Any, zeros: Table, shape: tuple[int, ...]) -> Numbered:
        return self._write("add", [zeros, number], {}, shape)

    def _moved(
        self, equation: Any, operands: list[Any], shapes: list[tuple[int, ...]]
    ) -> list[Any]:
        """What moves elements moves their places.

        Raises:
            Unattempted: where it moves them depends on the inputs, or it fills in others.
        """
        name, counted = equation.primitive.name, 0
        floats, given = [], []
        for operand, variable in zip(operands, equation.invars, strict=True):
            if variable.aval.dtype.kind != "f":
                given.append(self._value(operand))
                continue
            size = int(np.prod(variable.aval.shape))
            numbered = np.arange(float(counted), float(counted + size))
            given.append(numbered.reshape(variable.aval.shape))
            floats.append(operand)
            counted += size
        if any(one is None for one in given):
            raise Unattempted(told("integers that depend on the inputs"))
        found = _worked_out(equation, given)
        if any(np.isnan(places).any() for places in found):
            raise Unattempted(told("operation {name} on integers", name=name))
        return [
            self._write("take", floats, {"places": places.astype(np.int64)}, shape)
            for places, shape in zip(found, shapes, strict=True)
        ]


def _worked_out(equation: Any, values: Sequence[Any]) -> list[np.ndarray]:
    """The results of an operation on arrays, in the dtypes that it has."""
    entered = [
        jnp.asarray(value, variable.aval.dtype)
        for value, variable in zip(values, equation.invars, strict=True)
    ]
    results = equation.primitive.bind(*entered, **equation.params)
    several = results if equation.primitive.multiple_results else [results]
    return [np.asarray(result) for result in several]


def _truths(operand: Any) -> Operand:
    """Truth values that depend on nothing are a table of them."""
    if isinstance(operand, np.ndarray) and operand.dtype == np.bool_:
        return Table(operand)
    found: Operand = operand
    return found


def _without_rules(jaxpr: Any, constants: Any, operands: Sequence[Any]) -> list[Any]:
    """Works out a jaxpr with every call in it written out, those with derivative rules too.

    Raises:
        Unattempted: a rule stands inside a loop or a branch.
    """
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, constants, strict=True))
    known.update(zip(jaxpr.invars, operands, strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, jax.extend.core.Literal) else known[variable]

    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        given = [read(variable) for variable in equation.invars]
        if name in _CALLS:
            inside = parameters[_CALLS[name]]
            results = _without_rules(
                getattr(inside, "jaxpr", inside), getattr(inside, "consts", ()), given
            )
        elif "custom_vjp" in str(parameters) or "custom_jvp" in str(parameters):
            raise Unattempted(f"a derivative rule inside the operation {name}")
        else:
            found = equation.primitive.bind(*given, **parameters)
            results = found if equation.primitive.multiple_results else [found]
        known.update(zip(equation.outvars, results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _constant(value: Any) -> Any:
    """A float as the number it stands for; integers and truth values stay arrays."""
    array = np.asarray(value)
    if array.dtype.kind != "f":
        return array
    if array.ndim == 0:  # what is no number stays so, and must not be chosen
        return float(array) if np.isnan(array) else read_back(float(array))
    return Table(array)


def _plain(equation: Any, operands: list[Any]) -> tuple[str, list[Any], dict[str, Any]]:
    """An operation without arrays of integers: places that they choose are attributes."""
    name, parameters = equation.primitive.name, equation.params
    wholes = [
        operand
        for operand in operands
        if isinstance(operand, np.ndarray) and operand.dtype != np.bool_
    ]
    attributes = {key: _listed(value) for key, value in parameters.items()}
    if not wholes:
        return name, operands, attributes
    if name == "scatter-add":
        (target, _, updates), (indices,) = (v.aval.shape for v in equation.invars), wholes

        def scattered(new: Any) -> Any:
            zeros = jnp.zeros(target)
            return equation.primitive.bind(zeros, jnp.asarray(indices), new, **parameters)

        # The transpose of adding at places is reading there.
        _, pulled = jax.vjp(scattered, jnp.zeros(updates))
        places = np.asarray(pulled(1 + jnp.arange(float(np.prod(target))).reshape(target))[0])
        if np.all(places > 0):
            return "put_add", [operands[0], operands[2]], {"places": places.astype(np.int64) - 1}
    if all(whole.ndim == 0 for whole in wholes):
        exact = [Fraction(int(o)) if isinstance(o, np.ndarray) else o for o in operands]
        return name, exact, attributes
    raise Unattempted(told("operation {name} on integers", name=name))


def _whole(equation: Any, operands: list[Any]) -> tuple[str, list[Any], dict[str, Any]]:
    """An operation on whole numbers, of which some depend on what enters."""
    attributes = {key: _listed(value) for key, value in equation.params.items()}
    given = [Table(one) if isinstance(one, np.ndarray) else one for one in operands]
    return equation.primitive.name, given, attributes


def _listed(value: Any) -> Any:
    """A parameter as numbers, strings and tuples."""
    if isinstance(value, tuple | list):
        return tuple(map(_listed, value))
    if isinstance(value, np.integer):
        return int(value)
    return value if value is None or isinstance(value, int | str) else str(value)


def _entered(question: Question, dtype: str) -> list[Any]:
    """The arguments as JAX's arrays; integers keep their dtype."""
    return [
        jnp.asarray(a).astype(dtype) if a.dtype.kind == "f" else jnp.asarray(a)
        for a in question.tensors
    ]


def _of_floats(
    function: Callable[..., Any], question: Question, natives: list[Any], floats: list[int]
) -> Callable[..., tuple[Any, ...]]:
    """A function of the wanted tensors alone, which returns a tuple."""

    def of_floats(*entered: Any) -> tuple[Any, ...]:
        whole = list(natives)
        for k, native in zip(floats, entered, strict=True):
            whole[k] = native
        outputs = several(function(*question.arranged(whole)))
        for one in outputs:
            if not isinstance(one, jax.Array):
                raise BoxFailed(
                    told("the forward pass returns {kind}, not an array", kind=type(one).__name__)
                )
        return outputs

    return of_floats


def _returned(one: Any) -> Returned:
    if not isinstance(one, jax.Array):
        return Returned(None, type(one).__name__)
    return Returned(_array(one), str(one.dtype))


@final
class JaxEngine(Engine):
    """JAX on the CPU, operation by operation, differentiated by `jax.value_and_grad`."""

    name = "jax"
    writes_programs = True

    def version(self) -> str:
        return str(jax.__version__)

    def run(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
        dtype: str,
    ) -> Run:
        inputs = read_inputs(arguments, dtype)
        wanted = frozenset(operations.values())
        with settings():
            floats = {name: jnp.asarray(array, dtype) for name, array in inputs.floats.items()}
            wholes = {name: jnp.asarray(array) for name, array in inputs.wholes.items()}

            program = self._perturbed(forward, inputs, wholes, operations, dtype)
            shapes = self._shapes(forward, inputs, floats | wholes, dtype, wanted)
            # Minus zeros: added, they change no bit.
            perturbations = {n: jnp.full(one.shape, -0.0, dtype) for n, one in shapes.items()}
            (result, kept), (g_floats, g_kept) = jax.value_and_grad(
                program, argnums=(0, 1), has_aux=True
            )(floats, perturbations)
            kept = {name: kept[name] for name in operations}  # JAX has sorted the names
            tensors = floats | wholes | kept | {loss: result}
            gradients = g_floats | {
                name: g_kept[number]
                for name, number in operations.items()
                if number in g_kept and name != loss
            }
            return Run(
                self.name,
                self.version(),
                dtype,
                {name: _array(tensor) for name, tensor in tensors.items()},
                {name: _array(gradients[name]) for name in tensors if name in gradients},
            )

    def native(
        self,
        layers: Callable[..., Mapping[str, Any]],
        arguments: Mapping[str, Argument],
        loss: str,
        dtype: str,
    ) -> NativeRun:
        inputs = read_inputs(arguments, dtype)

        def program(floats: Any, wholes: Any) -> Any:
            tensors = layers(jax, **inputs.arranged(floats | wholes))
            return tensors.get(loss, jnp.zeros((), dtype)), dict(tensors)

        with settings():
            floats = {name: jnp.asarray(array, dtype) for name, array in inputs.floats.items()}
            wholes = {name: jnp.asarray(array) for name, array in inputs.wholes.items()}
            gradient = jax.value_and_grad(program, has_aux=True)
            (_, tensors), gradients = gradient(floats, wholes)
            return NativeRun(
                {name: _array(tensor) for name, tensor in tensors.items()},
                {name: _array(g) for name, g in gradients.items()} if loss in tensors else {},
            )

    def backward_program(
        self,
        forward: Callable[..., Any],
        arguments: Mapping[str, Argument],
        operations: Mapping[str, int],
        loss: str,
    ) -> BackwardProgram:
        """The jaxpr of `jax.grad`, with the calls in it written out."""
        inputs = read_inputs(arguments, "float64")
        wanted = frozenset(operations.values())
        with settings():
            floats = {
                name: jax.ShapeDtypeStruct(array.shape, array.dtype)
                for name, array in inputs.floats.items()
            }
            wholes = {name: jnp.asarray(array) for name, array in inputs.wholes.items()}
            program = self._perturbed(forward, inputs, wholes, operations, "float64")
            perturbations = self._shapes(forward, inputs, floats | wholes, "float64", wanted)
            gradient = jax.grad(program, argnums=(0, 1), has_aux=True)

            def gradients(floats: Any, perturbations: Any) -> Any:
                return gradient(floats, perturbations)[0]

            made = jax.make_jaxpr(gradients)(floats, perturbations)
            names = sorted(floats)  # as JAX orders them
            flat = Flat()
            numbers = {name: next(flat.numbers) for name in names}
            entered = [Numbered(number) for number in numbers.values()]
            zeros: list[Operand] = [Fraction(0)] * len(perturbations)
            results = flat.enter(made.jaxpr, made.consts, [*entered, *zeros])
        found = dict(zip(names, results, strict=False))
        by_number = dict(zip(sorted(perturbations), results[len(names) :], strict=True))
        found |= {name: by_number[n] for name, n in operations.items() if name != loss}
        return BackwardProgram(numbers, tuple(flat.operations), found, flat.precision)

    def returned(self, one: Any) -> Returned:
        return _returned(one)

    def outputs(self, function: Callable[..., Any], question: Question) -> tuple[Returned, ...]:
        with settings(), said_of("the reference"):
            made = several(function(*question.arranged(_entered(question, question.dtype))))
            return tuple(map(_returned, made))

    def pull(self, box: Callable[..., Any], question: Question) -> Answer:
        with settings():
            natives = _entered(question, question.dtype)
            floats = [k for k, wanted in enumerate(question.wanted) if wanted]
            with said_of("the forward pass"):
                result, pullback = jax.vjp(
                    _of_floats(box, question, natives, floats), *(natives[k] for k in floats)
                )
            outputs = several(result)
            values = tuple(map(_returned, outputs))
            check_outputs([tuple(np.shape(one)) for one in outputs], question, values)
            upstream = [
                jnp.asarray(g).astype(y.dtype)
                for g, y in zip(question.upstream, outputs, strict=True)
            ]
            with said_of("the backward pass", values):
                found = pullback(tuple(upstream))
                jax.block_until_ready(found)
        return Answer(
            values,
            tuple(map(_returned, found)),
            (),  # JAX's arrays cannot be overwritten
            (),
            lambda: tuple(map(_returned, found)),
        )

    def backward(self, box: Callable[..., Any], question: Question) -> Callable[..., Any]:
        """The pullback of `jax.vjp`, which JAX differentiates as any function."""
        count = len(question.arguments)
        floats = [k for k, wanted in enumerate(question.wanted) if wanted]

        def pulled(*entered: Any) -> tuple[Any, ...]:
            arguments, upstream = entered[:count], entered[count:]
            natives = [t for a in arguments for t in (a if isinstance(a, list) else [a])]
            _, pullback = jax.vjp(
                _of_floats(box, question, natives, floats), *(natives[k] for k in floats)
            )
            return tuple(pullback(tuple(upstream)))

        return pulled

    def forward_alone(self, function: Callable[..., Any], question: Question) -> Callable[..., Any]:
        """The operations of the jaxpr, those of custom rules in the place of the calls."""
        one: list[bool] = []

        def values(*natives: Any) -> tuple[Any, ...]:
            result = function(*question.arranged(natives))
            one[:] = [isinstance(result, jax.Array)]
            return several(result)

        with settings(), said_of("the forward pass, read operation by operation,"):
            made = jax.make_jaxpr(values)(*_entered(question, "float64"))

        def alone(*arguments: Any) -> Any:
            flat = [t for a in arguments for t in (a if isinstance(a, list) else [a])]
            found = _without_rules(made.jaxpr, made.consts, flat)
            return found[0] if one[0] else tuple(found)

        with settings():
            jax.make_jaxpr(alone)(*question.arranged(_entered(question, "float64")))
        return alone

    def pullback_program(self, function: Callable[..., Any], question: Question) -> BackwardProgram:
        """The jaxpr of `jax.vjp`, with the calls in it written out."""
        wanted = [k for k, wanted in enumerate(question.wanted) if wanted]
        floats = [k for k, a in enumerate(question.tensors) if a.dtype.kind == "f"]
        with settings():
            natives = _entered(question, "float64")

            def pulled(entered: Any, upstream: Any) -> Any:
                given = list(natives)
                for k, native in zip(floats, entered, strict=True):
                    given[k] = native
                result, pullback = jax.vjp(
                    _of_floats(function, question, given, wanted), *(given[k] for k in wanted)
                )
                return tuple(result), pullback(tuple(upstream))

            upstream = [jnp.asarray(g, "float64") for g in question.upstream]
            made = jax.make_jaxpr(pulled)([natives[k] for k in floats], upstream)
            flat = Flat()
            names = [*(f"x[{k}]" for k in floats), *(f"g[{k}]" for k in range(len(upstream)))]
            numbers = {name: next(flat.numbers) for name in names}
            entered = [Numbered(number) for number in numbers.values()]
            results = flat.enter(made.jaxpr, made.consts, entered)
        count = len(upstream)
        return BackwardProgram(
            numbers,
            tuple(flat.operations),
            {f"y[{k}]": results[k] for k in range(count)}
            | {f"x[{k}]": results[count + n] for n, k in enumerate(wanted)},
            flat.precision,
        )

    def _perturbed(
        self,
        forward: Callable[..., Any],
        inputs: Any,
        wholes: Mapping[str, Any],
        operations: Mapping[str, int],
        dtype: str,
    ) -> Callable[..., Any]:
        """The loss as a function of the inputs and of what is added to each wanted value."""

        def program(floats: Any, perturbations: Any) -> Any:
            recording = Recording(
                JAX,
                dtype,
                frozenset(operations.values()),
                lambda number, tensor: tensor + perturbations[number],
            )
            result = read_loss(inputs.call(forward, recording, {**floats, **wholes}))
            return result, read_kept(recording, operations)

        return program

    def _shapes(
        self, forward: Callable[..., Any], inputs: Any, natives: Any, dtype: str, wanted: Any
    ) -> dict[int, Any]:
        """The shapes of the wanted values, by the numbers of their operations."""

        def shapes(natives: Any) -> Any:
            met: dict[int, Any] = {}

            def meet(number: int, tensor: Any) -> Any:
                met[number] = tensor
                return tensor

            inputs.call(forward, Recording(JAX, dtype, wanted, meet), natives)
            return met

        found: dict[int, Any] = jax.eval_shape(shapes, natives)
        return found


ENGINE = JaxEngine()
