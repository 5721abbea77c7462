"""Containers inside of containers, as functions take and return them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def each(value: Any, change: Callable[[Any], Any]) -> Any:
    """The same lists, tuples and dictionaries with another value in the place of each."""
    match value:
        case list():
            return [each(item, change) for item in value]
        case tuple():
            items = [each(item, change) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        case dict():
            return {key: each(item, change) for key, item in value.items()}
        case _:
            return change(value)
