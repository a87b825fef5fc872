# Everything a fresh machine with Python, git and make needs: `make demo`, `make test`, `make lab`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
EXTENSION := .venv/share/jupyter/labextensions/dbx-magic/package.json

# As everything else on the machine does, trust the certificates that its owner trusts.
export UV_NATIVE_TLS := true

.PHONY: demo lab labextension test lint types bench protocol wheel clean

# The virtual environment; made again when what it holds changes.
$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --editable '.[dev]'
	touch $@

demo: $(READY)
	mkdir -p demo && cd demo && ../$(BIN)/dbx-magic demo

# The JupyterLab extension; Node comes as a package when the machine has none.
$(EXTENSION): $(READY) $(wildcard labextension/*.json labextension/*/*.* labextension/*/*/*.ts*)
	CI=1 $(BIN)/uv build --quiet --wheel --python $(BIN)/python --out-dir build
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

labextension: $(EXTENSION)

lab: $(EXTENSION)
	$(BIN)/jupyter lab --notebook-dir notebooks

test: lint types
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

protocol: $(READY)
	$(BIN)/python -m dbx_magic.protocol > labextension/src/protocol.ts

wheel: $(READY)
	CI=1 $(BIN)/uv build --wheel --python $(BIN)/python --out-dir dist

clean:
	rm -rf .venv dist build artifacts
