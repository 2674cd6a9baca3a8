# Everything needed is set up by the targets themselves: Python 3.11+ with venv, and make, are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: help demo test test-all lint bench docs lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or later is needed; found $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(READY)  ## follow a sample of real blocks into a database, and show what was found
	@$(BIN)/indexer demo

test: lint  ## ruff, mypy --strict and every test that takes less than a few minutes
	@$(BIN)/pytest -m "not slow"

test-all: lint  ## the same, and the long ones
	@$(BIN)/pytest

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY)  ## catch-up beside other clients, on this machine
	@$(BIN)/python -m benchmarks

docs: $(READY)  ## write anew what is made from the code: schema/README.md and schema/json
	@$(BIN)/python -m indexer.store.describe > schema/README.md
	@$(BIN)/python -m indexer.cli.schemas schema/json

lock: $(READY)  ## resolve the dependencies anew (needs uv: pip install uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml -o requirements/runtime.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml requirements/dev.in -o requirements/dev.lock

clean:  ## forget the virtual environment and what was built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .hypothesis benchmarks/node_modules benchmarks/.venv
