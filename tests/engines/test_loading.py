"""Engines load when asked for, and say how to be installed when missing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import pytest

from gradproof.core.errors import EngineError
from gradproof.engines import ENGINES, engine, installed, load
from gradproof.engines.contract import CONTRACTS, contract
from gradproof.engines.dtype import DTYPES


def test_asking_what_is_installed_imports_no_framework() -> None:
    program = (
        "import sys, gradproof.engines as engines; engines.installed();"
        "print([m for m in "
        "('tensorflow', 'keras', 'torch', 'jax', 'autograd') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"[]\n" or done.stdout == b"[]\r\n"


@pytest.mark.parametrize("name", ENGINES)
def test_loading_an_engine_writes_nothing(name: str) -> None:
    program = f"from gradproof.engines import load; load({name!r})"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, check=True
    )
    assert done.stdout == b""
    assert done.stderr == b""


def test_an_unknown_engine_lists_the_known() -> None:
    with pytest.raises(EngineError) as caught:
        load("theano")
    assert str(caught.value) == (
        "There is no engine called 'theano'.  The engines are numpy, tensorflow, torch, jax."
    )


@pytest.mark.parametrize("name", ["tensorflow", "torch", "jax"])
def test_a_missing_framework_says_how_to_install_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def without(module: str, *rest: Any) -> Any:
        return None if module == name else find(module, *rest)

    def refuse(module: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib.util, "find_spec", without)
    monkeypatch.setattr(importlib, "import_module", refuse)
    monkeypatch.setattr(engine.sys, "version_info", (3, 13))
    assert not installed()[name]
    with pytest.raises(EngineError) as caught:
        load(name)
    assert caught.value.advice == f'Try: pip install "gradproof[{name}]"'


def test_every_engine_has_a_contract_in_each_dtype_that_it_has() -> None:
    every = {(name, dtype) for name in ENGINES for dtype in DTYPES}
    assert set(CONTRACTS) == every - {("numpy", "bfloat16")}
    with pytest.raises(EngineError) as caught:
        contract("numpy", "bfloat16")
    assert str(caught.value) == (
        "NumPy has no bfloat16.  Try another engine (tensorflow, torch, jax) or float16."
    )
    with pytest.raises(EngineError):
        contract("torch", "float8")
