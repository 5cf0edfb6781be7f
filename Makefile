# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0

# Python 3.11, or python3 if there is no python3.11.
PYTHON ?= $(shell python3.11 -c "print('python3.11')" 2>/dev/null || echo python3)
# One more than CPU cores, because tests wait for the processes that they start.
WORKERS ?= 3
RUN ?= runs/digits

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet -c constraints.txt

# TensorFlow does not log about the machine.
export TF_CPP_MIN_LOG_LEVEL ?= 2

PYTEST = $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

.PHONY: help demo test test-all lint benchmark clean
.DELETE_ON_ERROR:

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: .venv/installed  ## train on digits for two minutes, draw, evaluate
	$(BIN)/python -m tfp_glow train --dataset=digits --out=$(RUN) \
	  --max_minutes=2.5 --patience=30
	$(BIN)/python -m tfp_glow evaluate --run=$(RUN)

test: lint  ## lint, then all tests but the slow ones, WORKERS=3 at a time
	$(PYTEST) -m "not slow" tests
	@echo "Passed. 'make test-all' also runs the slow tests."

test-all: lint  ## lint, then all tests
	$(PYTEST) --durations=10 tests

benchmark: .venv/installed  ## compare time and memory with other libraries, an hour
	$(BIN)/python benchmarks/compare.py

lint: .venv/installed-tests  ## ruff's checks and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:  ## remove the environment, runs and caches
	rm -rf .venv .venv-peers runs dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/installed: setup.py constraints.txt
	@echo "Installing into .venv with $(PYTHON), which takes a minute or two."
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) -e .
	@touch $@

.venv/installed-tests: .venv/installed
	$(PIP_INSTALL) -e '.[tests,colab]'
	@touch $@
