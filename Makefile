# Everything runs in .venv, which the first command makes.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# A CPU build of torch is enough here, and JAX must not take the memory that torch needs.
TORCH ?= torch==2.13.0
export XLA_PYTHON_CLIENT_PREALLOCATE = false
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test lint fuzz clean
.DEFAULT_GOAL := help

help:  ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet "$(TORCH)"
	@$(BIN)/python -m pip install --quiet --editable ".[jax,torch,cli]" --group dev
	@touch $@

demo: $(READY)  ## Plan generated loads: a table, out/plan.npz and out/plan.png
	@echo "Planning generated loads"
	@mkdir -p out
	@$(BIN)/eplb-xp demo -o out/plan.npz --plot out/plan.png

test: lint  ## Lint, types and tests
	@echo "Testing on $$(nproc) cores (some minutes)"
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4

lint: $(READY)  ## Style and types
	@echo "Checking style and types"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/pyrefly check

fuzz: $(READY)  ## Thousands of random cases for every property (long)
	@echo "Fuzzing on $$(nproc) cores (an hour or so)"
	@HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest --numprocesses auto

clean:  ## Remove everything that was made
	rm -rf $(VENV) out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info
