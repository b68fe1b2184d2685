# simloop: `make demo` needs Python 3.11+ and make, nothing else. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ifneq ($(wildcard ../shared/data),)
export SIMLOOP_DATA ?= $(abspath ../shared/data)
endif
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test test-all lint format bench docs clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "simloop needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.base

demo: $(VENV)/.base ## the main job on real recordings of a double pendulum, in under three minutes
	@$(BIN)/simloop data get double-pendulum --part design-c1/all || echo 'no recordings: the demo runs against a stand-in'
	$(BIN)/simloop loop examples/double_pendulum.yaml -o runs/demo

test: $(VENV)/.dev ## the tests
	$(BIN)/python -m pytest -n 2 -m 'not slow'

test-all: $(VENV)/.dev ## the tests and the long proofs
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## let ruff put things in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## the table of benchmarks/, as ratios against named peers
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev ## draw the pictures of docs/ anew and run its code
	$(BIN)/python docs/pictures.py
	$(BIN)/python -m pytest tests/test_docs.py

clean: ## remove runs and caches, keep the environment
	rm -rf runs build dist .pytest_cache .mypy_cache .ruff_cache
