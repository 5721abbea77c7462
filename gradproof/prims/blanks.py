"""What a missing formula is while a half-finished backward runs on plain arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

_GRADIENTS: ContextVar[Mapping[int, np.ndarray]] = ContextVar("gradients")


@contextmanager
def blanks(gradients: Mapping[int, np.ndarray]) -> Iterator[None]:
    """Meanwhile a blank for an array is the gradient that stands beside the array's ``id``."""
    token = _GRADIENTS.set(gradients)
    try:
        yield
    finally:
        _GRADIENTS.reset(token)


def gradient_of(array: object) -> np.ndarray | None:
    """The gradient with respect to an array, or `None` where nobody has said it."""
    return _GRADIENTS.get({}).get(id(array))
