# `make demo` and `make test` need Python 3.11 or later and make; they set up everything else in .venv.
# `make test-all` needs Node.js and npm as well, which it installs where it may, and what it tests with in NODE_MODULES.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
NODE_MODULES := tests/node/node_modules
NODE_READY := $(NODE_MODULES)/ready

.PHONY: demo test test-node test-all lint types check bench soak fuzz completions build clean

demo: $(READY)
	$(BIN)/qwebhook demo

# Three share two cores, since many tests wait. The first begins with the short tests, the last with the long ones, and
# who is done takes of what is left.
PROCESSES ?= 3
test: $(READY)
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist worksteal

test-node: $(READY) $(NODE_READY)
	$(BIN)/python -m pytest tests/node

# The short ones first.
test-all: test-node test

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
	PYTHONPATH=. $(BIN)/python benchmarks/targets.py
	$(BIN)/python benchmarks/isolation.py
	$(BIN)/python benchmarks/backlog.py
	$(BIN)/python benchmarks/throughput.py

# Kills the server again and again for so long, and says what was lost.
MINUTES ?= 30
soak: $(READY)
	$(BIN)/python -m soak --minutes $(MINUTES)

# Looks for faults in what is read from outside, each for so long. There is no atheris for every system.
SECONDS ?= 60
fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=2.3'
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS)

completions: $(READY)
	$(BIN)/qwebhook completion bash > completions/qwebhook.bash
	$(BIN)/qwebhook completion zsh > completions/_qwebhook
	$(BIN)/qwebhook completion fish > completions/qwebhook.fish
	$(BIN)/qwebhook completion powershell > completions/qwebhook.ps1

build: $(READY)
	rm -rf dist
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) $(NODE_MODULES) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

$(NODE_READY): tests/node/package-lock.json tests/node/install.sh
	tests/node/install.sh
	touch $@
