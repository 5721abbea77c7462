"""Derive gradients on paper, and prove that the code computes them."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    **dict.fromkeys(("derive", "verify"), "gradproof.workbench"),
    "export": "gradproof.exporting",
    "prepare": "gradproof.preparing",
    "check": "gradproof.blackbox.verb",
    "instrument": "gradproof.blackbox.instrument",
    "named": "gradproof.blackbox.watching",
    "power": "gradproof.unseen.verb",
    "show": "gradproof.report.console",
    "verify_all": "gradproof.gallery.survey",
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
"""The verbs and the errors, loaded when asked for; every other name is a function of `ops`."""

__all__ = ["__version__", "testing", *_WHERE]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name == "testing":
        return importlib.import_module("gradproof.testing")
    if not name.startswith("_"):
        functions = importlib.import_module("gradproof.ops").FUNCTIONS
        if name in functions:
            return functions[name]
    raise AttributeError(f"module 'gradproof' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *importlib.import_module("gradproof.ops").FUNCTIONS]
