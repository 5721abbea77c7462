"""Comparisons with a tolerance to whether they let a wrong gradient pass."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradproof.audit.spy import Spies, Spy, is_users_module

COMPARISONS = (
    ("numpy", ("allclose", "isclose")),
    ("numpy.testing", ("assert_allclose", "assert_almost_equal", "assert_array_almost_equal")),
    ("torch", ("allclose", "isclose")),
    ("torch.testing", ("assert_close",)),
    ("jax.numpy", ("allclose", "isclose")),
    ("tensorflow.debugging", ("assert_near",)),
)
"""Functions that compare within a tolerance, by the modules in which tests find them."""


def watch_tolerances(spies: Spies) -> None:
    """From now on, a comparison that a wrong gradient passes is noted with its spy."""
    for module_name, names in COMPARISONS:
        module = sys.modules.get(module_name)
        for name in names if module is not None else ():
            function = getattr(module, name, None)
            if callable(function):
                watched = _watched(function, spies)
                spies.put(module, name, watched)
                _rebind(function, watched, spies)


def _rebind(function: Any, watched: Any, spies: Spies) -> None:
    """The same under the names that a user's module has imported it by."""
    for module in list(sys.modules.values()):
        if is_users_module(module):
            for name, value in list(vars(module).items()):
                if value is function:
                    spies.put(module, name, watched)


def _watched(function: Callable[..., Any], spies: Spies) -> Callable[..., Any]:
    @functools.wraps(function)
    def compare(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        if result is None or np.all(_array(result)):
            compared = [_array(one) for one in arguments[:2]]
            for spy in spies.all():
                if spy.wrong is not None:
                    spy.tolerated |= _let_pass(compared, spy)
        return result

    return compare


def _let_pass(compared: Sequence[np.ndarray], spy: Spy) -> bool:
    """Whether one of two compared arrays is the wrong gradient. One that is traced (`jax.jit`) has
    no numbers yet: then arrays of its shape that NumPy's own tolerance tells apart will do."""
    wrong = _array(spy.wrong)
    if wrong.dtype != object:
        return any(one.shape == wrong.shape and np.array_equal(one, wrong) for one in compared)
    alike = len(compared) == 2 and all(one.shape == spy.shapes[spy.of] for one in compared)
    return alike and not np.allclose(*compared)


def _array(one: Any) -> np.ndarray:
    """A tensor's numbers; what is traced has none."""
    if hasattr(one, "detach"):
        one = one.detach().cpu()
    try:
        return np.asarray(one)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        return np.empty(0, object)
