# The environment and the commands. Every target makes .venv when it is absent and reuses it when
# it is there; a stamp in .venv says what was installed from the present pyproject.toml.
#
#   make verify    derive and verify the 2-4-3 network against TensorFlow
#   make test      the whole test suite, with every engine
#   make checks    every static check (the script ./checks)
#   make bench     what the README quotes, peers included: JSON, a table and plots
#   make clean     removes what was built and cached;  make distclean removes .venv too
#
#   make PYTHON=python3.12 ...           makes .venv with another Python (3.11 or newer)
#   make TORCH_OPTIONS="--index-url https://download.pytorch.org/whl/cpu" test
#                                        takes PyTorch without CUDA (PyPI's Linux wheel brings it)
#   make PYTEST_OPTIONS="-k fnn -x" test

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help verify test checks bench clean distclean environment tools new-enough

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore
# Exact, and installed before anything else that could ask for another one.
TORCH := torch==2.13.0
TORCH_OPTIONS ?=
JOBS ?= 2
PYTEST_OPTIONS ?=

# The frameworks stay quiet and on the CPU, whose arithmetic the contracts describe.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export CUDA_VISIBLE_DEVICES ?=

help:
	@sed -n 's/^#   //p' Makefile

# make itself always ends with 2 when a command fails; the line "Error N" shows gradproof's own N.
verify: $(VENV)/.has-tensorflow
	@$(VENV)/bin/gradproof verify fnn --engine tensorflow

test: environment
	@$(PY) -m pytest -ra -n $(JOBS) --dist worksteal $(PYTEST_OPTIONS)

checks: tools
	@./checks

bench: $(VENV)/.has-benchmarks $(VENV)/tensorgrad/.done
	@$(PY) benchmarks/bench.py

# The installations are --editable: a change in gradproof/ needs no second one.
environment: $(VENV)/.has-everything

tools: $(VENV)/.has-tools

$(VENV)/.has-tensorflow: pyproject.toml | new-enough
	@$(PY) -c 'import sys; sys.exit(sys.version_info >= (3, 14) and "TensorFlow has no release for Python 3.14 yet.  Try: rm -rf $(VENV); make PYTHON=python3.13 $(MAKECMDGOALS)")'
	@echo "Installing gradproof with TensorFlow into $(VENV) (a few minutes, once)"
	@$(PIP) --editable ".[tensorflow]"
	@touch $@

$(VENV)/.has-everything: pyproject.toml | new-enough
	@echo "Installing gradproof with every engine and the test tools into $(VENV) (a few minutes, once)"
	@$(PIP) $(TORCH_OPTIONS) "$(TORCH)"
	@$(PIP) --editable ".[all,test]"
	@touch $@

$(VENV)/.has-benchmarks: pyproject.toml | environment
	@$(PIP) --editable ".[all,bench]"
	@touch $@

# Another symbolic differentiator, measured beside ours, with its own versions of everything.
$(VENV)/tensorgrad/.done: | environment
	@echo "Installing tensorgrad into $(VENV)/tensorgrad"
	@"$(PYTHON)" -m venv $(VENV)/tensorgrad
	@apart="$(VENV)/tensorgrad/bin/python -m pip install --quiet --disable-pip-version-check"; \
	if $$apart $(TORCH_OPTIONS) "$(TORCH)" && $$apart tensorgrad==0.3.0; \
	then touch $@; else rm -rf $(VENV)/tensorgrad; echo "tensorgrad could not be installed, and is left out" >&2; fi

$(VENV)/.has-tools: pyproject.toml | new-enough
	@echo "Installing gradproof with the checkers into $(VENV)"
	@$(PIP) --editable ".[checks]"
	@touch $@

# Asked of an old .venv too, before anything is installed into it.
define IS_NEW_ENOUGH
import sys
version = ".".join(map(str, sys.version_info[:3]))
if sys.version_info < (3, 11):
    sys.exit("gradproof needs Python 3.11 or newer, and " + sys.executable + " is " + version + ".  Try: rm -rf $(VENV); make PYTHON=python3.12 $(MAKECMDGOALS)")
endef
export IS_NEW_ENOUGH

new-enough: | $(PY)
	@$(PY) -c "$$IS_NEW_ENOUGH"

$(PY):
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON) here: gradproof needs Python 3.11 or newer.  Try: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c "$$IS_NEW_ENOUGH"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) could not make a virtual environment.  On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

clean:
	rm -rf build dist docs/_build htmlcov .coverage .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
