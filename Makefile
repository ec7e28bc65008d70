# `make demo` and `make test` need Python ≥ 3.10 and make, nothing else: they make .venv themselves.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS ?= $(if $(shell command -v nvidia-smi),,--constraint requirements/cpu.txt)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS)

.PHONY: help demo test lint reference clean

help:
	@echo "make demo       build the l = 3 kernels, train the Tetris model on them, draw the result"
	@echo "make test       ruff, mypy and pytest"
	@echo "make lint       ruff and mypy alone"
	@echo "make reference  rewrite the committed reference package generated/tfn_l1"
	@echo "make clean      remove .venv, caches, runs and generated packages but the reference"

demo: $(VENV)/.installed
	$(BIN)/tfngen build --lmax 3 --target cpu
	$(BIN)/tfngen run tetris --package generated/tfn_l3 --out runs/tetris

test: lint
	$(BIN)/python -m pytest --numprocesses 2

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

reference: $(VENV)/.installed
	$(BIN)/tfngen build --lmax 1 --target cpu

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis runs dist
	find generated -mindepth 1 -maxdepth 1 ! -name tfn_l1 -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +

# torch first, so that nothing else decides which build of it comes.
$(BIN)/python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10))" || \
		{ echo "tfngen needs Python 3.10 or newer; name one: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch

$(VENV)/.installed: $(BIN)/python pyproject.toml
	$(PIP) --editable ".[plot,experiments]"
	@touch $@

$(VENV)/.installed-test: $(BIN)/python pyproject.toml
	$(PIP) --editable ".[test]"
	@touch $@
