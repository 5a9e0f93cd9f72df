# Everything runs in .venv, which the first command makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Built with the installation, and again where a source has changed.
NATIVE := $(VENV)/.native
NATIVE_SOURCES := setup.py $(wildcard backends/native/*.cpp backends/native/*.hpp backends/native/*/*.hpp)
# For PyTorch's builds without CUDA, name its index of them in PIP_EXTRA_INDEX_URL, which pip reads.
TORCH ?= torch==2.13.0
# JAX must not take the memory that torch needs.
export XLA_PYTHON_CLIENT_PREALLOCATE = false
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# Tests start hundreds of processes, which would compile all modules each, and rewrite all assertions.
unexport PYTHONDONTWRITEBYTECODE
# How long fuzz takes, and what mutate tries.
MINUTES ?= 10
MUTANTS ?= eplb_xp.algorithms.*
MUTATION_VENV := .venv-mutation
TOOLS_VENV := .venv-tools
# Made anew each time, for what is built and nothing else.
WHEEL_VENV := .venv-wheel
# More for bench: pytest's options, such as BENCH='-k "swap and jit"', and --family, --seed, --budget.
BENCH ?=
# More for bench-quality: --only, --policies, --seed.
QUALITY ?=
# More for bench-moves: --only, --seed.
MOVES ?=
# More for bench-peers: --only, --seed, --page.
PEERS ?=
# More for bench-moe: --gpus, --only, --system, --quick, --loads, --seed.
MOE ?=
# More for bench-gpu: --only, --quick, --replays, --seed.
GPU ?=
# A file's tests share their programs, so they go to one process; in the order that tests/conftest.py has.
PROCESSES := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Reproducible; fuzz draws anew.
HYPOTHESIS_PROFILE ?= ci
export HYPOTHESIS_PROFILE

# vLLM's and SGLang's own files, of several versions, and what they and others need to be imported.
ENGINES := build/engines
ENGINES_VENV := .venv-engines
OF_PEERS := vllm-0.33.0 sglang-0.5.23 vllm-ascend-0.23.0 lmdeploy-0.18.0
OF_ENGINES := einops hypothesis msgspec numba pytest "pytest-xdist>=3.6" scipy setuptools setuptools-rust setuptools-scm wheel

# The lowest versions that pyproject.toml allows; no CPU build of the lowest torch is to be had.
LOWEST_VENV := .venv-lowest
LOWEST = $(shell $(PYTHON) -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	extras = project["optional-dependencies"]; ranges = project["dependencies"] + extras["jax"] + extras["cli"]; \
	print(*(each.replace(">=", "==") for each in ranges))')

.PHONY: help demo test test-engines test-lowest lint lint-workflows wheel wheels fuzz sanitize mutate bench bench-gpu bench-growth bench-moe bench-moves bench-peers bench-quality bench-settings bench-search bench-shares bench-start docs clean
.DEFAULT_GOAL := help

help:  ## Say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 23

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (about a minute, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install -qq "$(TORCH)"
	@$(BIN)/python -m pip install -qq --editable ".[jax,torch,cli]" --group dev
	@touch $@

$(NATIVE): $(READY) $(NATIVE_SOURCES)
	@$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

demo: $(READY)  ## Plan generated loads: tables, out/loads.npz, out/plan.npz and out/plan.png
	@echo "Planning generated loads with every policy"
	@mkdir -p out
	@$(BIN)/eplb-xp demo -o out/loads.npz --plot out/plan.png
	@echo "Writing the plan of the default policy, joint"
	@$(BIN)/eplb-xp plan out/loads.npz --num-replicas 288 --num-gpus 32 -o out/plan.npz

test: lint $(NATIVE)  ## Lint, types and tests
	@echo "Testing on $$(nproc) cores (some minutes)"
	@$(BIN)/python -m pytest $(PROCESSES)

test-engines: $(ENGINES_VENV)/.ready  ## Adapters with the real packages of vLLM, SGLang and vllm-ascend, fetched by version
	@$(ENGINES_VENV)/bin/python -m tests.support.packages.fetch $(ENGINES)
	@echo "Testing with them (two minutes)"
	@EPLB_XP_ENGINES=$(CURDIR)/$(ENGINES) $(ENGINES_VENV)/bin/python -m pytest -o addopts="--import-mode=importlib -ra" \
		--confcutdir=tests/in_engines --numprocesses auto --quiet tests/in_engines

$(ENGINES_VENV)/.ready: pyproject.toml
	@echo "Setting up $(ENGINES_VENV)"
	@$(PYTHON) -m venv $(ENGINES_VENV)
	@$(ENGINES_VENV)/bin/python -m pip install -qq --upgrade "pip>=25.1"
	@$(ENGINES_VENV)/bin/python -m pip install -qq "$(TORCH)" $(OF_ENGINES)
	@$(ENGINES_VENV)/bin/python -m pip install -qq --editable ".[jax,cli]"
	@touch $@

test-lowest: $(LOWEST_VENV)/.ready  ## Tests with the lowest supported versions
	@echo "Testing with $(LOWEST)"
	@$(LOWEST_VENV)/bin/python -m pytest $(PROCESSES) -W ignore::DeprecationWarning

$(LOWEST_VENV)/.ready: pyproject.toml
	@echo "Setting up $(LOWEST_VENV)"
	@$(PYTHON) -m venv $(LOWEST_VENV)
	@$(LOWEST_VENV)/bin/python -m pip install -qq --upgrade "pip>=25.1"
	@$(LOWEST_VENV)/bin/python -m pip install -qq $(LOWEST) "$(TORCH)" --group dev
	@$(LOWEST_VENV)/bin/python -m pip install -qq --no-deps --editable .
	@touch $@

lint: $(READY)  ## Style and types
	@echo "Checking style and types"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/pyrefly check

lint-workflows: $(TOOLS_VENV)/.ready  ## What GitHub runs: syntax, permissions, timeouts
	@echo "Checking .github/workflows"
	@$(TOOLS_VENV)/bin/jactionlint --strict-exit --shellcheck=

wheel: $(TOOLS_VENV)/.ready  ## Sdist and wheel in dist/, checked; the wheel plans in a venv of its own
	@echo "Building dist/ (out/build.log)"
	@rm -rf dist && mkdir -p out
	@$(TOOLS_VENV)/bin/python -m build >out/build.log 2>&1 || (cat out/build.log && false)
	@$(TOOLS_VENV)/bin/twine check --strict dist/*
	@echo "Planning with what the wheel brings"
	@$(PYTHON) -m venv --clear $(WHEEL_VENV)
	@$(WHEEL_VENV)/bin/python -m pip install -qq dist/*.whl
	@$(WHEEL_VENV)/bin/python -I -c 'import numpy as np, eplb_xp; \
		plan = eplb_xp.rebalance_experts(np.array([[45, 40, 25, 50, 30, 50]]), 8, 1, 1, 4); \
		print("eplb-xp", eplb_xp.__version__, "with NumPy", np.__version__, "plans", plan.phy2log)'

wheels: $(TOOLS_VENV)/.ready  ## Wheels with native code for this kind of machine, each tried; needs Docker
	@echo "Building wheelhouse/ (some minutes)"
	@$(TOOLS_VENV)/bin/python -m cibuildwheel --platform linux --output-dir wheelhouse
	@$(TOOLS_VENV)/bin/twine check --strict wheelhouse/*

$(TOOLS_VENV)/.ready: pyproject.toml
	@echo "Setting up $(TOOLS_VENV)"
	@$(PYTHON) -m venv $(TOOLS_VENV)
	@$(TOOLS_VENV)/bin/python -m pip install -qq --upgrade "pip>=25.1"
	@$(TOOLS_VENV)/bin/python -m pip install -qq --group tools
	@touch $@

fuzz: $(NATIVE)  ## New random cases for every property on every library, MINUTES=10 in all
	@echo "Fuzzing on $$(nproc) cores for about $(MINUTES) minutes"
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -p tests.fuzz --minutes $(MINUTES) --numprocesses auto --quiet tests

sanitize: build/address build/thread  ## Native code under AddressSanitizer, UBSan and ThreadSanitizer, built with them
	@echo "Testing with what was built (two minutes)"
	@EPLB_XP_TEST_LIBRARIES=numpy $(call sanitized,address,libasan.so) $(BY_PYTHON)
	@$(call sanitized,address,libasan.so) $(BY_XLA)
	@EPLB_XP_TEST_LIBRARIES=numpy $(call sanitized,thread,libtsan.so) $(BY_PYTHON) -k "threads or callers"

build/address: SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
build/thread: SANITIZERS := -fsanitize=thread
build/address build/thread: $(READY) $(NATIVE_SOURCES)
	@echo "Building with $(SANITIZERS) (half a minute)"
	@rm -rf $@
	@CFLAGS="$(SANITIZERS)" CXXFLAGS="$(SANITIZERS)" LDFLAGS="$(SANITIZERS)" \
		$(BIN)/python setup.py -q build_ext --build-temp $@/objects --build-lib $@

BY_PYTHON := $(patsubst %,tests/backends/native/test_%.py,plans following renewing frontiers samples parts sharing sharing_refused routing calls)
BY_XLA := $(patsubst %,tests/backends/native/test_%.py,xla_calls programs following_programs sharing_programs shared_in_programs \
	routing_programs)
# The sanitizer finds what throws in the library, if that is there before jaxlib, which has its own.
sanitized = LD_PRELOAD="$$(g++ -print-file-name=$2) $$(g++ -print-file-name=libstdc++.so.6)" \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
	$(BIN)/python -m pytest --quiet -p tests.sanitized --native build/$1

mutate: $(MUTATION_VENV)/.ready  ## Break the algorithms, one small change at a time: the tests must fail
	@echo "Trying $(MUTANTS) on $$(nproc) cores (out/mutation.log)"
	@rm -rf mutants && mkdir -p out
	@EPLB_XP_TEST_LIBRARIES=numpy HYPOTHESIS_PROFILE=mutation $(MUTATION_VENV)/bin/mutmut run '$(MUTANTS)' >out/mutation.log
	@$(MUTATION_VENV)/bin/python -m tests.mutation

$(MUTATION_VENV)/.ready: pyproject.toml
	@echo "Setting up $(MUTATION_VENV)"
	@$(PYTHON) -m venv $(MUTATION_VENV)
	@$(MUTATION_VENV)/bin/python -m pip install -qq --upgrade "pip>=25.1"
	@$(MUTATION_VENV)/bin/python -m pip install -qq --group mutation
	@$(MUTATION_VENV)/bin/python -m pip install -qq --no-deps --editable .
	@touch $@

bench: $(NATIVE)  ## Time every policy on every library against a NumPy loop, and what plans cost beside: tables, out/bench.json, out/beside.json
	@echo "Checking every plan, then timing it (about six minutes)"
	@mkdir -p out && rm -f out/bench.json
	@$(BIN)/python -m pytest -p benchmarks.speed.plugin --benchmark-quiet --benchmark-json out/bench.json --quiet $(BENCH) benchmarks/speed
	@echo "Timing threads, a serving thread and small calls (half a minute)"
	@$(BIN)/python -m benchmarks.speed

bench-gpu: $(READY)  ## Plans, few moves, shares, quotas and routes on an NVIDIA GPU, checked, then timed: a table, out/gpu.json, .md and .png
	@echo "Checking plans on the GPU, then timing them (about five minutes, most of them compiling)"
	@$(BIN)/python -m benchmarks.gpu $(GPU)

bench-moe: $(READY)  ## An expert-parallel layer on all GPUs of a machine, checked, then timed: tables, out/moe.json, .md and .png
	@echo "Running a layer on all GPUs, in every case (some minutes; without GPUs a tiny one, on two processes)"
	@$(BIN)/python -m benchmarks.moe $(MOE)

bench-growth: $(READY)  ## Time and memory against layers, experts and GPUs: tables, out/growth.json, out/growth.png
	@echo "Planning for more and more layers, experts and GPUs (some minutes)"
	@$(BIN)/python -m benchmarks.growth

bench-quality: $(READY)  ## Gaps of every policy, and balance on later steps: tables, out/quality and out/later.json, .md, .png
	@echo "Planning for all loads and sizes (some minutes, most of them compiling)"
	@$(BIN)/python -m benchmarks.quality $(QUALITY)
	@echo "Planning from first steps, judging on later ones (some minutes)"
	@$(BIN)/python -m benchmarks.later

bench-shares: $(READY)  ## What shares and routing take on a CPU: the tables of docs/speed.md
	@echo "Sharing tokens (a minute, most of it compiling)"
	@$(BIN)/python -m benchmarks.later.cost
	@echo "Routing tokens (half a minute)"
	@$(BIN)/python -m benchmarks.later.routing

bench-moves: $(NATIVE)  ## What few moves keep of the balance, and samples bring: tables, out/moves.json, .md and .png
	@echo "Following loads that change (some minutes)"
	@$(BIN)/python -m benchmarks.moves $(MOVES)

bench-peers: $(ENGINES_VENV)/.ready  ## Planners of vLLM, SGLang, vllm-ascend and LMDeploy beside ours: tables, out/peers.json, .md and .png
	@$(ENGINES_VENV)/bin/python -m tests.support.packages.fetch $(ENGINES) $(OF_PEERS)
	@echo "Planning for the same loads with all of them (some minutes)"
	@EPLB_XP_ENGINES=$(CURDIR)/$(ENGINES) $(ENGINES_VENV)/bin/python -m benchmarks.peers $(PEERS)

bench-settings: $(READY)  ## Quality against time for settings of policy joint: the table of docs/policies.md
	@echo "Planning with every setting (some minutes, most of them compiling)"
	@$(BIN)/python -m benchmarks.quality.settings

bench-search: $(READY)  ## How far joint's plans are from what a long search finds: the table of docs/quality.md
	@echo "Searching long (some minutes)"
	@$(BIN)/python -m benchmarks.quality.search

bench-start: $(READY)  ## Time importing and first plans, before and after JAX's cache has them: a table, out/start.json
	@echo "Starting processes (some minutes, most of them compiling)"
	@$(BIN)/python -m benchmarks.start

docs: $(VENV)/.docs  ## Pages in build/docs; test runs the examples in them
	@echo "Building build/docs"
	@$(BIN)/sphinx-build -q -E -W --keep-going -b html -d build/doctrees docs build/docs

$(VENV)/.docs: $(READY)
	@$(BIN)/python -m pip install -qq --group docs
	@touch $@

clean:  ## Remove everything that was made
	rm -rf $(VENV) $(ENGINES_VENV) $(LOWEST_VENV) $(MUTATION_VENV) $(TOOLS_VENV) $(WHEEL_VENV) mutants out build dist wheelhouse .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info backends/native/*.so
