"""Derive gradients on paper, and prove that the code computes them."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    **dict.fromkeys(
        ("sigmoid", "relu", "tanh", "exp", "log", "sqrt", "softmax", "logsumexp"), "gradproof.ops"
    ),
    **dict.fromkeys(("derive", "verify"), "gradproof.workbench"),
    **dict.fromkeys(
        (
            "GradproofError",
            "ShapeError",
            "UnknownName",
            "DataError",
            "NetworkError",
            "EngineError",
            "NotYet",
            "Never",
        ),
        "gradproof.core.errors",
    ),
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'gradproof' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
