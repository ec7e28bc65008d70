# `make demo` and `make test` need Python ≥ 3.10 and make, nothing else: they make .venv themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS ?= $(if $(shell command -v nvidia-smi),,--constraint requirements/cpu.txt)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS)

.PHONY: help demo test test-gpu test-models lint reference clean

help:
	@echo "make demo       build the l = 3 kernels, train the Tetris model on them, draw the result"
	@echo "make test       ruff, mypy and pytest"
	@echo "make test-gpu   what only a GPU can show"
	@echo "make test-models  the models whose packages want environments of their own: MACE, NequIP"
	@echo "make lint       ruff and mypy alone"
	@echo "make reference  rewrite the committed reference package generated/tfn_l1"
	@echo "make clean      remove .venv, caches, runs and generated packages but the reference"

demo: $(VENV)/.installed
	$(BIN)/tfngen build --lmax 3 --target cpu
	$(BIN)/tfngen run tetris --package generated/tfn_l3 --out runs/tetris

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-gpu: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto tests/gpu

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# MACE wants e3nn 0.4.4, NequIP e3nn 0.5.9 or newer. Their environments are kept for the next time.
MODELS := mace nequip
DISTRIBUTION_mace := mace-torch
DISTRIBUTION_nequip := nequip

.PRECIOUS: $(VENV)-%/.installed

test-models: $(MODELS:%=test-model-%)

test-model-%: $(VENV)-%/.installed
	$(VENV)-$*/bin/python -m pytest tests/interop/test_$*.py

$(VENV)-%/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) torch
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) \
		--editable . $(DISTRIBUTION_$*) pytest hypothesis
	@touch $@

reference: $(VENV)/.installed
	$(BIN)/tfngen build --lmax 1 --target all

clean:
	rm -rf $(VENV) $(MODELS:%=$(VENV)-%) .pytest_cache .mypy_cache .ruff_cache .hypothesis runs dist
	find generated -mindepth 1 -maxdepth 1 ! -name tfn_l1 -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +

# torch first, so that nothing else decides which build of it comes.
$(BIN)/python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10))" || \
		{ echo "tfngen needs Python 3.10 or newer; name one: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(PIP) --editable ".[training]"
	@touch $@

$(VENV)/.installed-test: $(BIN)/python pyproject.toml
	$(PIP) --editable ".[test]"
	@touch $@
