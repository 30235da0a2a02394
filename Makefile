# One command each; all of them first make .venv from what pyproject.toml pins.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What the tests of real clients drive; each version is one they were written against.
CLIENTS := .clients
CLIENT_PACKAGES := node@24 @modelcontextprotocol/inspector@2.12.0 \
	@anthropic-ai/claude-code@2.1.329 @google/gemini-cli@0.61.0 \
	@openai/codex@0.169.0 opencode-ai@1.18.33

.PHONY: help demo test check lint format types imports docs bench clients clean

help:
	@echo "make demo    see two agents and a person exchange work, and a crash that loses nothing"
	@echo "make test    lint, types, import rules and all tests"
	@echo "make bench   the benchmark"
	@echo "make clients install the real clients that some tests drive (needs npm)"
	@echo "make format  format the code"
	@echo "make docs    write the reference pages that follow from the code"
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

docs: $(VENV)/.done
	@$(BIN)/python docs/generate.py

clients: $(CLIENTS)/.done

# Without a package.json here npm would look for one in the folders above.
$(CLIENTS)/.done: Makefile
	@echo "Installing real clients into $(CLIENTS) (a few minutes)..."
	@mkdir -p $(CLIENTS) && echo '{"private": true}' > $(CLIENTS)/package.json
	@cd $(CLIENTS) && npm install --no-audit --no-fund --loglevel=error $(CLIENT_PACKAGES)
	@touch $@

bench: $(VENV)/.done
	@$(BIN)/python -m bench

clean:
	rm -rf $(VENV) $(CLIENTS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
