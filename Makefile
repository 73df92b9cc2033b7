# `make demo` and `make test` need Python 3.11 or later and make; they set up everything else in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: demo test test-all lint types check bench completions build clean

demo: $(READY)
	$(BIN)/qwebhook demo

test: $(READY)
	$(BIN)/python -m pytest

test-all: test

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

check: lint types test

bench: $(READY)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/remote_list.py
	PYTHONPATH=. $(BIN)/python benchmarks/audits.py
	$(BIN)/python benchmarks/lists.py
	$(BIN)/python benchmarks/throughput.py

completions: $(READY)
	$(BIN)/qwebhook completion bash > completions/qwebhook.bash
	$(BIN)/qwebhook completion zsh > completions/_qwebhook
	$(BIN)/qwebhook completion fish > completions/qwebhook.fish
	$(BIN)/qwebhook completion powershell > completions/qwebhook.ps1

build: $(READY)
	rm -rf dist
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
