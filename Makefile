# One command each; all of them first make .venv from what pyproject.toml pins.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test check lint format types imports bench clean

help:
	@echo "make demo    see two agents and a person exchange work, and a crash that loses nothing"
	@echo "make test    lint, types, import rules and all tests"
	@echo "make bench   the benchmark"
	@echo "make format  format the code"
	@echo "make clean   remove what these commands made"

$(VENV)/.done: pyproject.toml
	@echo "Setting up $(VENV) (once; about a minute)..."
	@$(PYTHON) -c 'import sys; sys.exit("Hubbub needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(VENV)/.done
	@$(BIN)/hubbub demo

test: lint types imports $(VENV)/.done
	@$(BIN)/python -m pytest -n auto --dist loadgroup

check: lint types imports

lint: $(VENV)/.done
	@$(BIN)/ruff format --check --quiet . || (echo "Run: make format"; exit 1)
	@$(BIN)/ruff check --quiet .

format: $(VENV)/.done
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

types: $(VENV)/.done
	@$(BIN)/mypy

imports: $(VENV)/.done
	@$(BIN)/lint-imports >/dev/null || $(BIN)/lint-imports

bench: $(VENV)/.done
	@$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
