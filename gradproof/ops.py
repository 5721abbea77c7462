"""What a network is written with, beside NumPy: functions that work on plain arrays too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np

from gradproof.core.errors import ShapeError
from gradproof.prims.dictionary import ALONG_BY_NAME, ELEMENTWISE_BY_NAME, FOLD_BY_NAME
from gradproof.prims.face import Face, along, fold
from gradproof.prims.record import Elementwise


def _floats(x: Any) -> np.ndarray:
    array = np.asarray(x)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


@final
class ElementwiseFunction:
    """An elementwise function of the dictionary: ``f(x)``, and ``f.derivative(x)``.

    Takes and gives an array of any shape; plain arrays keep their floating-point dtype, integers
    become float64.
    """

    def __init__(self, record: Elementwise) -> None:
        self._record = record
        self.__name__ = record.name
        self.__doc__ = f"{record.words[0].upper()}{record.words[1:]}, elementwise."

    def __call__(self, *arguments: Any) -> Any:
        return self._apply(arguments, 0)

    def derivative(self, x: Any) -> Any:
        """The derivative at x, elementwise."""
        return self._apply((x,), 1)

    def _apply(self, arguments: tuple[Any, ...], order: int) -> Any:
        record = self._record
        if len(arguments) != len(record.arguments):
            raise ShapeError(f"{record.name} takes {len(record.arguments)} argument(s).")
        face = next((a for a in arguments if isinstance(a, Face)), None)
        if face is not None:
            return face.operate(record.name, arguments, order=order)
        plain = [_floats(a) for a in arguments]
        value = record.forward(*plain)
        if order == 0:
            return value
        slope: Any = record.slopes[0]
        return np.asarray(slope(value, *plain)).astype(plain[0].dtype)

    def __repr__(self) -> str:
        return f"gradproof.{self.__name__}"


def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials along an axis divided by their sum; the shape stays."""
    if isinstance(x, Face):
        return along("softmax", x, axis)
    return ALONG_BY_NAME["softmax"].forward(_floats(x), axis)


def logsumexp(x: Any, axis: int = -1, keepdims: bool = False) -> Any:
    """The logarithm of the sum of exponentials along an axis, which is lost unless kept."""
    if isinstance(x, Face):
        return fold("logsumexp", x, axis, keepdims)
    value = FOLD_BY_NAME["logsumexp"].forward(_floats(x), axis)
    return value if keepdims else np.squeeze(value, axis)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: ElementwiseFunction(record) for name, record in ELEMENTWISE_BY_NAME.items()},
    "softmax": softmax,
    "logsumexp": logsumexp,
}
"""What a network finds as ``gradproof.sigmoid``: one function for each elementwise record too."""


def __getattr__(name: str) -> Any:
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    raise AttributeError(f"module 'gradproof.ops' has no attribute {name!r}")
