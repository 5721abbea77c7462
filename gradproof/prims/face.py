"""The NumPy face of a tensor: NumPy's protocols and methods, each turned into a named operation.

A tracer and every engine put this face on their own tensors, so that the user's function runs on
all of them as it is. A subclass implements `shape` and `operate`, and sees only these operations:

===================================  ========================================================
``add subtract multiply divide``     two operands (either may be a number or a plain array)
``negative``                         one operand
``power``                            ``exponent``: a `Fraction`
``matmul``                           two operands, NumPy's rules
``sum``                              ``axes``: sorted tuple of non-negative ints; ``keepdims``
``greater`` ``greater_equal``
``equal``                            two operands; a mask of ones and zeros
``transpose``                        ``order``: a permutation of the axes
``getitem``                          ``key``: a tuple of ints, slices, `None`; one per axis
``setitem``                          the first operand with the second, which is broadcast, at
                                     ``key``: ints and slices, one per axis
``convolve``                         samples and kernel; ``sliding``: a `window.Sliding`
``convolve_transposed``              the same
``average_windows``
``largest_windows``                  ``window``: its lengths; ``sliding``
``windows``                          ``axis``, ``length``: the windows' own axis comes last
``pad``                              ``width``: zeros before and after, for each axis
``cumsum``                           ``axis``
``triangle``                         ``diagonal``, ``upper``
names of elementwise records         the record's arguments; ``order=1`` is the derivative
names of folds                       ``axis``, ``keepdims``
names of along records               ``axis``
``inverse`` ``logdet``               one square matrix
those of `gradproof.prims.arrange`   see there
those of `gradproof.prims.gather`    see there
===================================  ========================================================
"""

from __future__ import annotations

import inspect
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from typing import Any, cast, final

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from gradproof.core.errors import DataError, NetworkError, Never, NotYet, ShapeError
from gradproof.core.told import told
from gradproof.prims.arrange import ARRANGEMENTS, axis_of, ravel, reshape, squeeze
from gradproof.prims.caller import place
from gradproof.prims.dictionary import ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.gather import gathering, is_gathering
from gradproof.prims.number import rational
from gradproof.prims.window import NUMPY_FUNCTIONS

_PLAIN_UFUNCS = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "divide": "divide",
    "true_divide": "divide",
    "negative": "negative",
    "matmul": "matmul",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "equal": "equal",
}
_ELEMENTWISE_UFUNCS = {
    numpy_name: record.name
    for record in ELEMENTWISE_BY_NAME.values()
    for numpy_name in record.numpy_names
}
_FOLD_FUNCTIONS = {
    numpy_name: record.name for record in FOLD_BY_NAME.values() for numpy_name in record.numpy_names
}


class Face(NDArrayOperatorsMixin, ABC):
    """A tensor that behaves like a NumPy array and turns everything into `operate` calls."""

    def __init__(self) -> None:
        self._views: list[weakref.ref[Face]] = []
        self._of: tuple[Face, tuple[Any, ...] | None] | None = None
        self._plain: np.ndarray | None = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""

    @abstractmethod
    def operate(self, name: str, operands: tuple[Any, ...], **attributes: Any) -> Face:
        """The result of a named operation; at least one operand is a face of this kind."""

    @abstractmethod
    def copy(self) -> Face:
        """The same values as an array of its own, which an in-place update leaves alone."""

    @abstractmethod
    def become(self, result: Any) -> None:
        """Takes the values of a result, under every name that this tensor has."""

    @abstractmethod
    def constant(self, array: np.ndarray) -> Face:
        """A plain array as a tensor of this kind."""

    def positions(self, array: np.ndarray, axis: int) -> np.ndarray:
        """Constant positions along an axis, none of them counted from its end."""
        if not np.any(array < 0):
            return array
        return np.where(array < 0, array.astype(np.int64) + int(self.shape[axis]), array)

    def keep_name(self) -> None:
        """Says that an inner function's variable names this value, not an outer one's."""

    def gradient(self) -> Face:
        """The gradient with respect to this tensor, in the place of a formula that is missing.

        Raises:
            NetworkError: this is no value of forward that backward was given.
        """
        raise NetworkError(
            told("gp.blank stands for a gradient: only backward has any."),
            advice=told("Write  dl_dW = gp.blank(W)  in backward."),
            place=place(),
        )

    @final
    def remember(self, array: np.ndarray) -> None:
        """Notes the numbers of a tensor that holds nothing else yet: as long as only numbers are
        written into it, NumPy's own indexing by arrays is known to give numbers."""
        self._plain = array

    # --- NumPy's protocols ------------------------------------------------------------------

    @final
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **extra: Any) -> Any:
        name = ufunc.__name__
        if name == "add" and method == "at":
            return _add_at(*inputs)
        out = extra.pop("out", None)
        if out is not None and (method != "__call__" or out[0] is not inputs[0]):
            raise Never(
                told("np.{name}(..., out=...) writes into an array.", name=name),
                advice=told("Assign the result to a name instead."),
                place=place(),
            )
        if method == "reduce" and name in ("add", "maximum"):
            return _called("sum" if name == "add" else "max", inputs, {"axis": 0, **extra})
        if method != "__call__" or extra:
            raise _unknown(f"np.{name}" + (f".{method}" if method != "__call__" else ""), extra)
        result = _call_ufunc(self, name, inputs)
        return result if out is None else _updated(inputs[0], result)

    @final
    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if func.__module__ == "numpy.linalg" and func.__name__ in _LINALG:
            try:
                inspect.signature(_LINALG[func.__name__]).bind(*args, **kwargs)
            except TypeError:
                raise _unknown(
                    told("np.linalg.{func} with these arguments", func=func.__name__), {}
                ) from None
            return _LINALG[func.__name__](*args, **kwargs)
        if func.__name__ not in _FUNCTIONS:
            inner = func.__module__.partition(".")[2]
            path = f"{inner}." if inner in ("linalg", "fft", "random") else ""
            raise _unknown(f"np.{path}{func.__name__}", {})
        return _called(func.__name__, args, kwargs)

    # --- methods ----------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        total = 1
        for length in self.shape:
            total = length * total
        return total

    @property
    def T(self) -> Face:
        """The tensor with its axes reversed."""
        return _transpose(self)

    def transpose(self, *axes: Any) -> Face:
        """The tensor with its axes in another order."""
        return _transpose(self, axes[0] if len(axes) == 1 else (axes or None))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Face:
        """The sum over axes."""
        return _sum(self, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Face:
        """The mean over axes."""
        return _mean(self, axis, keepdims=keepdims)

    def var(self, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Face:
        """The variance over axes."""
        return _var(self, axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Face:
        """The standard deviation over axes."""
        return _std(self, axis, ddof=ddof, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Face:
        """The largest element along an axis."""
        return fold("max", self, axis, keepdims)

    def clip(self, low: Any = None, high: Any = None) -> Face:
        """What lies outside of an interval at its ends."""
        return _clip(self, low, high)

    def reshape(self, *shape: Any, order: str = "C") -> Face:
        """The elements in their order under other axes; one size may be −1."""
        return _view(self, reshape(self, *shape, order=order))

    def ravel(self) -> Face:
        """All elements along one axis."""
        return _view(self, ravel(self))

    def flatten(self) -> Face:
        """All elements along one axis of a new array."""
        flat: Face = ravel(self.copy())
        return flat

    def squeeze(self, axis: Any = None) -> Face:
        """Without axes of one element."""
        squeezed: Face = squeeze(self, axis)
        return squeezed

    def swapaxes(self, first: int, second: int) -> Face:
        """The tensor with two axes swapped."""
        return _swap(self, first, second)

    def dot(self, other: Any) -> Face:
        """The matrix product."""
        return _dot(self, other)

    @property
    def is_mask(self) -> bool:
        """Whether the elements are truth values."""
        return False

    def __getitem__(self, key: Any) -> Face:
        if is_gathering(key):
            entries, indices = gathering(self, key)
            return self.operate("gather", (self, *indices), key=entries)
        full = _full_key(self, key)
        return _view(self, self.operate("getitem", (self,), key=full), full)

    def __iter__(self) -> Iterator[Face]:
        if self.ndim == 0:
            raise ShapeError(told("A scalar cannot be iterated."), place=place())
        return (self[i] for i in range(self.shape[0]))

    def __len__(self) -> int:
        if self.ndim == 0:
            raise ShapeError(told("A scalar has no length."), place=place())
        return int(self.shape[0])

    def __bool__(self) -> bool:
        raise Never(
            told(
                "A branch on data has no single formula: which way it goes depends on the numbers."
            ),
            advice=told("Use np.where(condition, a, b), which keeps both branches."),
            place=place(),
        )

    def __float__(self) -> float:
        raise Never(
            told("float() takes the tensor out of the network, so its gradient is lost."),
            advice=told("Keep it as an array."),
            place=place(),
        )

    def __setitem__(self, key: Any, value: Any) -> None:
        faces = (value, *(key if isinstance(key, tuple) else (key,)))
        if self._plain is not None:
            if not any(isinstance(one, Face) for one in faces):
                self._plain[key] = value
                if not _is_basic(key):
                    self.become(self.constant(self._plain.copy()))
                    return
            else:
                self._plain = None
        if is_gathering(key):
            _put(self, key, value)
            return
        full = _full_key(self, key)
        of = value._of if isinstance(value, Face) else None
        if of is not None and of[0] is self and of[1] == full:
            return  # the end of  a[key] += b,  which has written through its view
        _write(self, full, value)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise Never(
            told("This turns the tensor into plain numbers, so its gradient is lost."),
            advice=told("Use NumPy functions or gradproof's on the tensor itself."),
            place=place(),
        )

    __hash__ = None  # type: ignore[assignment]  # == is elementwise, as NumPy's


def _unknown(what: str, extra: dict[str, Any]) -> NotYet:
    if extra:
        what = told("{name} with {arguments}", name=what, arguments=", ".join(extra))
    return NotYet(
        told("{name} is not in gradproof's dictionary.", name=what),
        advice=told(
            "Write it with the operations that are: arithmetic, @, .T, sum, mean, max, "
            "exp, log, sqrt, tanh, abs, maximum, minimum, where, and gp.sigmoid, relu, "
            "softmax, logsumexp."
        ),
        place=place(),
    )


@cache
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _called(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One of NumPy's functions; an argument that is not known is refused, not dropped."""
    known = _FUNCTIONS[name]
    try:
        _signature(known).bind(*args, **kwargs)
    except TypeError:
        raise _unknown(told("np.{name} with these arguments", name=name), {}) from None
    dtype = kwargs.get("dtype")
    if dtype is not None and np.dtype(dtype).kind != "f":
        raise _unknown(f"np.{name}", {f"dtype={np.dtype(dtype)}": dtype})
    return known(*args, **kwargs)


def _view(whole: Face, part: Face, key: tuple[Any, ...] | None = None) -> Face:
    """Notes that two tensors share memory in NumPy; a single element is a copy. Without a key it
    is a view of all, turned."""
    if part.ndim:
        part._of = (whole, key)
        whole._views.append(weakref.ref(part))
    return part


def _write(whole: Face, key: tuple[Any, ...], value: Any, through: Face | None = None) -> None:
    """The value at the key of a tensor, under every name that the tensor has.

    Raises:
        NotYet: another tensor shares memory with what is written.
    """
    if any(part is None for part in key):
        raise NotYet(
            told("Writing into a view with a new axis is not supported yet."), place=place()
        )
    there = tuple(
        len(_spots(part, size))
        for part, size in zip(key, whole.shape, strict=True)
        if isinstance(part, slice)
    )
    if not _fits(np.shape(value), there):
        raise ShapeError(
            told(
                "What stands there has the shape {there} and cannot hold {shape}.",
                there=there,
                shape=np.shape(value),
            ),
            place=place(),
        )
    views = [view() for view in whole._views]
    for view in views:
        if view is not None and view is not through and _overlap(whole, key, view):
            raise NotYet(
                told("This writes into an array of which another variable is a view."),
                advice=told("Copy what is still needed first: b = a[0].copy()"),
                place=place(),
            )
    whole._views = [ref for ref, view in zip(whole._views, views, strict=True) if view is not None]
    _replace(whole, whole.operate("setitem", (whole, value), key=key))


def _put(target: Face, key: Any, value: Any) -> None:
    """``a[mask] = number`` and ``a[indices] = b``.

    Raises:
        NotYet: another tensor shares memory with what is written.
    """
    if any(view() is not None for view in target._views):
        raise NotYet(
            told("This writes into an array of which another variable is a view."),
            advice=told("Copy what is still needed first: b = a[0].copy()"),
            place=place(),
        )
    if isinstance(key, Face) and key.is_mask:
        if np.ndim(value) or key.shape != target.shape:
            raise NotYet(
                told(
                    "Behind a mask only one number can be written, for all elements that it "
                    "chooses."
                ),
                advice=told("Write  a = np.where(mask, b, a)"),
                place=place(),
            )
        _replace(target, target.operate("where", (key, value, target), order=0))
        return
    entries, indices = gathering(target, key)
    _replace(target, target.operate("put", (target, value, *indices), key=entries))


def _add_at(target: Any, key: Any, value: Any) -> None:
    """``np.add.at``: where an index stands twice, both are added."""
    if not isinstance(target, Face):
        raise NotYet(
            told("np.add.at on a plain array that tensors are added to."),
            advice=told("Make the array with np.zeros, np.zeros_like or np.ones."),
            place=place(),
        )
    entries, indices = gathering(target, key)
    _replace(target, target.operate("add_at", (target, value, *indices), key=entries))


def _take(x: Face, indices: Any, axis: Any = None) -> Face:
    if axis is None:
        raise NotYet(told("np.take without an axis is not supported yet."), place=place())
    key = (slice(None),) * axis_of(axis, x.ndim)
    if np.ndim(indices) == 0 and not isinstance(indices, Face):
        return x[(*key, int(indices))]
    return x[(*key, indices)]


def _fits(new: tuple[int, ...], there: tuple[int, ...]) -> bool:
    """Whether NumPy broadcasts the one shape to the other; axes of one element may be too many."""
    surplus = max(0, len(new) - len(there))
    kept = new[surplus:]
    pairs = zip(kept, there[len(there) - len(kept) :], strict=True)
    return all(s == 1 for s in new[:surplus]) and all(s in (1, size) for s, size in pairs)


def _replace(target: Face, result: Face) -> None:
    """A tensor's new values, in what it is a view of too."""
    of = target._of
    if of is not None and of[1] is None:
        raise NotYet(
            told("This writes into a transposed view of another array."),
            advice=told("Write into the array itself."),
            place=place(),
        )
    target.become(result)
    target._plain = None
    if of is not None and of[1] is not None:
        _write(of[0], of[1], target, through=target)


def _overlap(whole: Face, key: tuple[Any, ...], view: Face) -> bool:
    """Whether a view shows some of what stands at the key."""
    if view._of is None or view._of[1] is None:
        return True
    other = [part for part in view._of[1] if part is not None]
    return all(
        set(_spots(one, size)) & set(_spots(two, size))
        for one, two, size in zip(key, other, whole.shape, strict=True)
    )


def _spots(part: Any, size: int) -> range:
    """The positions that one entry of a key names."""
    if isinstance(part, slice):
        return range(*part.indices(size))
    return range(part % size, part % size + 1)


def _updated(target: Any, result: Face) -> Face:
    """The target of an augmented assignment after it: in NumPy all its names see the change."""
    if np.shape(target) != result.shape:
        raise ShapeError(
            told(
                "An array of shape {shape} cannot hold the result, {shape2}: in place "
                "nothing grows.",
                shape=np.shape(target),
                shape2=result.shape,
            ),
            advice=told("Write  a = a + b  instead of  a += b."),
            place=place(),
        )
    if isinstance(target, np.ndarray):
        if target.dtype.kind != "f":
            raise Never(
                told(
                    "An array of {dtype} cannot be updated in place by a tensor.",
                    dtype=target.dtype,
                ),
                advice=told("Write  a = a + b  instead of  a += b."),
                place=place(),
            )
        # Its other names would see the new numbers, which do not exist: NaN is refused where used.
        target[...] = np.nan
        return result
    if result.ndim == 0:
        return result  # a scalar of NumPy's does not change: the name moves on
    if any(view() is not None for view in target._views):
        raise NotYet(
            told("This update in place changes two arrays, of which one is a view of the other."),
            advice=told("Write  a = a + b  instead of  a += b."),
            place=place(),
        )
    face: Face = target
    _replace(face, result)
    return face


def _call_ufunc(face: Face, name: str, inputs: tuple[Any, ...]) -> Face:
    if name in _PLAIN_UFUNCS:
        return face.operate(_PLAIN_UFUNCS[name], inputs)
    if name in _ELEMENTWISE_UFUNCS:
        return face.operate(_ELEMENTWISE_UFUNCS[name], inputs, order=0)
    match name:
        case "less":
            return face.operate("greater", (inputs[1], inputs[0]))
        case "less_equal":
            return face.operate("greater_equal", (inputs[1], inputs[0]))
        case "positive":
            return face.copy()
        case "square":
            return face.operate("power", inputs, exponent=Fraction(2))
        case "reciprocal":
            return face.operate("power", inputs, exponent=Fraction(-1))
        case "power" | "float_power":
            return _power(face, *inputs)
        case _:
            raise _unknown(f"np.{name}", {})


def _power(face: Face, base: Any, exponent: Any) -> Face:
    if isinstance(exponent, Face) or np.ndim(exponent) != 0:
        raise NotYet(
            told("An exponent that is an array is not supported yet."),
            advice=told("Write x**y as np.exp(y * np.log(x))."),
            place=place(),
        )
    if not np.isfinite(exponent):
        raise Never(
            told("The exponent {exponent} is not a number.", exponent=exponent), place=place()
        )
    return face.operate("power", (base,), exponent=rational(exponent))


def _axes(x: Face, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    chosen = [axis_of(one, x.ndim) for one in (axis if isinstance(axis, tuple) else (axis,))]
    if len(set(chosen)) != len(chosen):
        raise ShapeError(told("{axis} names an axis twice.", axis=axis), place=place())
    return tuple(sorted(chosen))


def _sum(x: Face, axis: Any = None, dtype: None = None, *, keepdims: bool = False) -> Face:
    return x.operate("sum", (x,), axes=_axes(x, axis), keepdims=bool(keepdims))


def _mean(x: Face, axis: Any = None, dtype: None = None, *, keepdims: bool = False) -> Face:
    count: Any = 1
    for one in _axes(x, axis):
        count = x.shape[one] * count
    mean: Face = _sum(x, axis, keepdims=keepdims) / count
    return mean


def _var(
    x: Face, axis: Any = None, dtype: None = None, *, ddof: int = 0, keepdims: bool = False
) -> Face:
    """The mean of squared deviations; with `ddof` the sum is divided by that much less."""
    count: Any = 1
    for one in _axes(x, axis):
        count = x.shape[one] * count
    deviation = x - _mean(x, axis, keepdims=True)
    variance: Face = _sum(deviation**2, axis, keepdims=keepdims) / (count - ddof)
    return variance


def _std(
    x: Face, axis: Any = None, dtype: None = None, *, ddof: int = 0, keepdims: bool = False
) -> Face:
    return _call_ufunc(x, "sqrt", (_var(x, axis, ddof=ddof, keepdims=keepdims),))


def fold(name: str, x: Face, axis: Any = None, keepdims: bool = False) -> Face:
    """A folding function along one axis, or `max` along several."""
    axes = _axes(x, axis)
    if not axes or (len(axes) != 1 and name != "max"):
        raise NotYet(
            told(
                "{name} over {count} axes at once is not supported yet.", name=name, count=len(axes)
            ),
            advice=told("Name one axis."),
            place=place(),
        )
    return x.operate(name, (x,), axis=axes[0] if len(axes) == 1 else axes, keepdims=bool(keepdims))


def along(name: str, x: Face, axis: int = -1) -> Face:
    """A keeping function along one axis."""
    return x.operate(name, (x,), axis=_axes(x, axis)[0])


def inverse(a: Face) -> Face:
    """The inverse of a square matrix."""
    result: Face = _square(a, "inv").operate("inverse", (a,))
    return result


def logdet(a: Face) -> Face:
    """The logarithm of the absolute value of a square matrix' determinant."""
    result: Face = _square(a, "logdet").operate("logdet", (a,))
    return result


def solve(a: Any, b: Any) -> Face:
    """``a⁻¹ b``: two operations, so that the inverse is one value of the network."""
    if np.ndim(b) not in (1, 2):
        raise NotYet(told("solve with {ndim} axes on the right.", ndim=np.ndim(b)), place=place())
    if np.ndim(a) == 2 and np.shape(a)[1] != np.shape(b)[0]:
        raise ShapeError(
            told(
                "solve meets a matrix of {shape}×{shape2} and a right side whose first axis "
                "has {shape3}.",
                shape=np.shape(a)[0],
                shape2=np.shape(a)[1],
                shape3=np.shape(b)[0],
            ),
            place=place(),
        )
    if not isinstance(a, Face):
        _square(a, "solve")
        if np.linalg.matrix_rank(a) < np.shape(a)[0]:
            raise singular()
        known: Face = b.operate("matmul", (np.linalg.inv(a), b))
        return known
    v = _square(a, "solve").operate("inverse", (a,))
    product: Face = v.operate("matmul", (v, b))
    return product


def _slogdet(a: Face) -> tuple[None, Face]:
    return None, logdet(a)


def singular() -> DataError:
    """What is said of a matrix that has no inverse."""
    return DataError(
        told("The matrix here is singular: it has no inverse."),
        advice=told("Give inputs with which it has one, as A + I or L @ L.T + I mostly does."),
        place=place(),
    )


def _square(a: Any, name: str) -> Any:
    shape = np.shape(a)
    if len(shape) > 2:
        raise NotYet(
            told("{name} of a stack of matrices is not supported yet.", name=name),
            advice=told("Take one matrix of it at a time."),
            place=place(),
        )
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ShapeError(
            told(
                "{name} needs a square matrix, and this is {what}.",
                name=name,
                what="×".join(map(str, shape)) or told("a scalar"),
            ),
            place=place(),
        )
    return a


def _transpose(x: Face, axes: Any = None) -> Face:
    order = (
        tuple(reversed(range(x.ndim))) if axes is None else tuple(axis_of(a, x.ndim) for a in axes)
    )
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(
            told("{axes} is not an order of {ndim} axes.", axes=axes, ndim=x.ndim), place=place()
        )
    if order == tuple(range(x.ndim)):
        return x
    return _view(x, x.operate("transpose", (x,), order=order))


def _dot(a: Any, b: Any) -> Face:
    face = a if isinstance(a, Face) else b
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return face.operate("multiply", (a, b))
    if np.ndim(b) > 2:
        raise NotYet(
            told("np.dot with {ndim} axes on the right is not supported yet.", ndim=np.ndim(b)),
            advice=told("@ multiplies stacks of matrices."),
            place=place(),
        )
    return face.operate("matmul", (a, b))


def _clip(x: Any, low: Any = None, high: Any = None) -> Face:
    """What lies outside of an interval at its ends; one of them may be missing.

    Where the lower end may lie above the upper one, which NumPy permits, it is two functions.
    """
    face = next(a for a in (x, low, high) if isinstance(a, Face))
    if isinstance(low, int | float) and isinstance(high, int | float) and low <= high:
        return face.operate("clip", (x, low, high), order=0)
    for name, end in (("maximum", low), ("minimum", high)):
        x = x if end is None else face.operate(name, (x, end), order=0)
    return cast(Face, x)


def _where(condition: Any, a: Any, b: Any) -> Face:
    face = next(x for x in (condition, a, b) if isinstance(x, Face))
    return face.operate("where", (condition, a, b), order=0)


def _swap(x: Face, first: int, second: int) -> Face:
    order = list(range(x.ndim))
    one, other = axis_of(first, x.ndim), axis_of(second, x.ndim)
    order[one], order[other] = order[other], order[one]
    return _transpose(x, tuple(order))


def _expand(x: Face, axis: int) -> Face:
    return x[(slice(None),) * axis_of(axis, x.ndim + 1) + (None,)]


def _zeros_like(x: Face, dtype: None = None) -> Face:
    zeros: Face = x * 0
    return zeros


def _ones_like(x: Face, dtype: None = None) -> Face:
    ones: Face = x * 0 + 1
    return ones


def _outer(a: Any, b: Any) -> Face:
    if np.ndim(a) != 1 or np.ndim(b) != 1:
        raise NotYet(
            told(
                "np.outer of {ndim} and {ndim2} axes is not supported yet.",
                ndim=np.ndim(a),
                ndim2=np.ndim(b),
            ),
            advice=told("Write a[:, None] * b for two vectors."),
            place=place(),
        )
    product: Face = (a if isinstance(a, Face) else np.asarray(a))[:, None] * b
    return product


_LINALG: dict[str, Callable[..., Any]] = {"inv": inverse, "solve": solve, "slogdet": _slogdet}
"""NumPy's functions of matrices."""

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "std": _std,
    "transpose": _transpose,
    "dot": _dot,
    "where": _where,
    "clip": _clip,
    "take": _take,
    "swapaxes": _swap,
    "expand_dims": _expand,
    "zeros_like": _zeros_like,
    "ones_like": _ones_like,
    "outer": _outer,
    **NUMPY_FUNCTIONS,
    "copy": lambda a: a.copy(),
    **ARRANGEMENTS,
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
    "size": lambda x: x.size,
    **{
        numpy_name: (
            lambda x, axis=None, *, keepdims=False, _name=name: fold(_name, x, axis, keepdims)
        )
        for numpy_name, name in _FOLD_FUNCTIONS.items()
    },
}


def _is_basic(key: Any) -> bool:
    """Whether a key is made of numbers, slices and ... alone."""
    parts = key if isinstance(key, tuple) else (key,)
    return all(
        part is Ellipsis
        or (isinstance(part, int | np.integer | slice) and not isinstance(part, bool))
        for part in parts
    )


def _full_key(x: Face, key: Any) -> tuple[Any, ...]:
    """The key with one entry for each axis, `None` where an axis is added."""
    parts = list(key) if isinstance(key, tuple) else [key]
    for part in parts:
        known = part is None or part is Ellipsis or isinstance(part, int | np.integer | slice)
        if not known or isinstance(part, bool):
            raise NotYet(
                told("Only constants, slices, None and ... can stand between [ and ]."),
                advice=told("For a mask, multiply by it or use np.where."),
                place=place(),
            )
        if isinstance(part, slice):
            bounds = (part.start, part.stop, part.step)
            if any(b is not None and not isinstance(b, int | np.integer) for b in bounds):
                raise ShapeError(
                    told("{part} has a bound that is no integer.", part=part), place=place()
                )
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > x.ndim:
        raise ShapeError(
            told("{used} indices for a tensor of {ndim} axes.", used=used, ndim=x.ndim),
            place=place(),
        )
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    spot = parts.index(Ellipsis)
    parts[spot : spot + 1] = [slice(None)] * (x.ndim - used)
    return tuple(int(p) if isinstance(p, np.integer) else p for p in parts)
