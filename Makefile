# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0

# The first of these that runs, or python3.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13,\
  $(shell $(name) -c "print('$(name)')" 2>/dev/null)) python3)
# Each worker imports TensorFlow and traces models of its own.
WORKERS ?= 2
RUN ?= runs/digits

BIN := .venv/bin

# The first line of a failure says in plain words what is missing. pip's own
# output comes after it.
fail = { echo "$(1)" >&2; exit 1; }
# Python compiles the modules that are used, which are few of those installed.
pip_install = @$(BIN)/python -m pip install --quiet --no-compile \
  -c constraints.txt $(1) \
  >.venv/pip.log 2>&1 || { \
  if grep -qi "connection\|timed out\|name resolution" .venv/pip.log; \
  then echo "No network: pip could not download the packages."; \
  else echo "pip could not install the packages:"; fi >&2; \
  cat .venv/pip.log >&2; exit 1; }

# TensorFlow does not log about the machine.
export TF_CPP_MIN_LOG_LEVEL ?= 3
# Python keeps the modules that it compiles. Some containers forbid it, and then
# every process compiles TensorFlow again, which takes longer than its import.
unexport PYTHONDONTWRITEBYTECODE

PYTEST = $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

.PHONY: help demo test test-all lint docs wheel notebooks benchmark clean
.DELETE_ON_ERROR:

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: .venv/installed  ## train on digits for a minute, draw, evaluate
	$(BIN)/python -m tfp_glow train --dataset=digits --conditional \
	  --out=$(RUN) --max_minutes=2 --patience=20
	$(BIN)/python -m tfp_glow evaluate --run=$(RUN)

test: lint  ## lint, then all tests but the slow ones, WORKERS=2 at a time
	$(PYTEST) -m "not slow" tests
	@echo "Passed. 'make test-all' also runs the slow tests."

test-all: lint  ## lint, then all tests
	$(PYTEST) --durations=10 tests

docs: .venv/installed-docs  ## build the reference site, site/index.html
	rm -rf site
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -d site/.doctrees . site
	@echo "Open site/index.html in a browser."

wheel: .venv/installed-tests  ## build a wheel and an sdist in dist
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

notebooks: .venv/installed-tests  ## run all notebooks and keep their outputs, ten minutes
	$(BIN)/python colab/execute.py

benchmark: .venv/installed  ## compare time and memory with other libraries, an hour
	$(BIN)/python benchmarks/compare.py

lint: .venv/installed-tests  ## ruff's checks and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:  ## remove the environment, runs and caches
	rm -rf .venv .venv-peers runs dist site docs/reference *.egg-info
	rm -rf .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/created:
	@$(PYTHON) -c "import sys; assert (3, 11) <= sys.version_info < (3, 14)" \
	  2>/dev/null || $(call fail,Expected Python 3.11 to 3.13. Received: \
	  $$($(PYTHON) --version 2>/dev/null || echo none) from PYTHON=$(PYTHON). \
	  Choose another: make PYTHON=python3.12)
	@$(PYTHON) -c "import ensurepip; import venv" 2>/dev/null || \
	  $(call fail,$(PYTHON) lacks the module venv. On Debian and Ubuntu: \
	  sudo apt install $(notdir $(PYTHON))-venv)
	@echo "Installing into .venv with $(PYTHON), which takes a minute or two."
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/created setup.py constraints.txt
	$(call pip_install,-e .)
	@touch $@

.venv/installed-tests: .venv/created setup.py constraints.txt
	$(call pip_install,-e '.[tests]')
	@touch .venv/installed $@

.venv/installed-docs: .venv/created setup.py constraints.txt
	$(call pip_install,-e '.[docs]')
	@touch .venv/installed $@
