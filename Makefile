# Everything a newcomer needs: `make run` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Twice quiet: errors alone.
PIP := $(BIN)/pip install -qq --disable-pip-version-check
# What a lock file names, and nothing else, checked by its hashes.
LOCKED := $(PIP) --no-deps --require-hashes -r
LAUNCHER := services/cli/launcher
PROTOS := $(shell find protos -name '*.proto')
PAGE := $(shell find edge/web -not -path '*/node_modules*' -not -path '*/gen/*' -not -path '*/dist/*' -type f)
# What the contracts must stay compatible with: the revision they were frozen at. A shallow clone lacks
# it, and is told that there is nothing to compare with.
AGAINST ?= $(shell git rev-parse --verify --quiet "$$(cat protos/FROZEN)^{commit}")

# Test processes at the same time: 2 make use of a second core, and need the memory of two (8 GB).
JOBS ?= $(if $(filter 1,$(shell nproc)),1,2)
# These wait more than they compute: for conversations in real time, a browser, Envoy. e2e and web share one real mesh.
MESHES := tests/edge tests/faults tests/e2e tests/web tests/security tests/foreign tests/client tests/examples tests/contracts

# The schedule of faults of `make test-faults`; 0 draws one.
SEED ?= 0

.DEFAULT_GOAL := help
.PHONY: help setup setup-check setup-test run test test-models test-meshes test-fast fast-models fast-interview fast-edge fast-meshes test-faults web check lint types contracts bench bench-browser lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup web ## Set up and run the whole mesh in the foreground, until Ctrl-C
	@$(BIN)/viva up

test: setup-test web check ## Set up, check and run every test; JOBS=1 one after the other
	@$(MAKE) --no-print-directory --keep-going --jobs=$(JOBS) test-models test-meshes

# What fails is run once more, by itself: these tests hold conversations in real time, and a machine that stood still
# for a moment is no fault of the program. What fails twice has failed; what passes then is named by the first run.
AGAIN := --last-failed --last-failed-no-failures=none

test-models: TESTS = $(MESHES:%=--ignore=%) -o cache_dir=.pytest_cache/models
test-meshes: TESTS = $(MESHES) -o cache_dir=.pytest_cache/meshes
test-models test-meshes:
	@$(BIN)/python -m pytest $(TESTS) || { echo "once more, what has failed:"; $(BIN)/python -m pytest $(TESTS) $(AGAIN); }

test-fast: setup-check ## Set up, check and run what is quick: no torch, no Triton, no whole mesh
	@$(MAKE) --no-print-directory --keep-going --jobs=$(if $(filter 1,$(JOBS)),1,5) check fast-models fast-interview fast-edge fast-meshes

fast-models: TESTS = $(MESHES:%=--ignore=%) --ignore=tests/interview -o cache_dir=.pytest_cache/models
fast-interview: TESTS = tests/interview -o cache_dir=.pytest_cache/interview
fast-edge: TESTS = tests/edge -o cache_dir=.pytest_cache/edge
# A folder that is named is never left out.
fast-meshes: TESTS = $(filter-out tests/e2e tests/edge,$(MESHES)) -o cache_dir=.pytest_cache/meshes
fast-models fast-interview fast-edge fast-meshes:
	@$(BIN)/python -m pytest --fast $(TESTS)

test-faults: setup-test ## Every fault, on real servers and models too, and a long random run; SEED= names its schedule
	@$(BIN)/python -m pytest tests/faults tests/e2e/test_killed_servers.py --faults --faults-seconds 60 --faults-seed $(SEED)

web: build/page.built ## Build the page, where its sources changed

check: lint types contracts ## Lint, types, contracts; before every commit

lint: setup-check ## Style and form
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup-check ## Types
	@$(BIN)/mypy

contracts: setup-check ## Lint the contracts and check that nothing breaks against AGAINST
	@$(BIN)/python hatch_build.py --breaking-against "$(AGAINST)"

bench: setup-test ## Run every benchmark against a running mesh (`make run` elsewhere)
	@for what in mesh edge embed report tts llm asr overload cancel; do $(BIN)/viva bench $$what || exit 1; done

bench-browser: setup-test web ## How much later a reply is heard in a browser than on the command line; beside a running mesh
	@$(BIN)/python -m tests.web.delay

setup: $(VENV)/.run ## Install what running needs into .venv

setup-check: $(VENV)/.check ## Install what checks and quick tests need into .venv

setup-test: $(VENV)/.test ## Install what every test needs into .venv

$(VENV)/.run: pyproject.toml requirements/run.lock $(LAUNCHER)/weights.lock $(LAUNCHER)/overwritten.lock hatch_build.py $(PROTOS)
	@echo "setting up $(VENV), about 600 MB the first time; it takes some minutes"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 run")'
	@$(PYTHON) -m venv $(VENV)
	@echo "  libraries"
	@$(LOCKED) requirements/run.lock
	@echo "  models"
	@$(LOCKED) $(LAUNCHER)/weights.lock
	@$(LOCKED) $(LAUNCHER)/overwritten.lock --force-reinstall
	@echo "  Viva itself"
	@$(PIP) --no-build-isolation --no-deps -e .
	@echo "  voices"
	@$(BIN)/python hatch_build.py --voices
	@touch $@

build/page.built: $(VENV)/.run $(PAGE) $(PROTOS)
	@echo "building the page"
	@$(BIN)/python hatch_build.py --web && mkdir -p build
	@touch $@

$(VENV)/.check: $(VENV)/.run requirements/test.lock
	@echo "  what checks and quick tests need"
	@$(LOCKED) requirements/test.lock
	@touch $@

$(VENV)/.test: $(VENV)/.check requirements/engines.lock requirements/torch.txt requirements/triton.lock
	@echo "setting up $(VENV) for tests: torch, Coqui and other engines, about 1 GB the first time"
	@$(LOCKED) requirements/engines.lock
	@$(PIP) -r requirements/torch.txt
	@echo "setting up .venv-triton: a real Triton server for tests, about 500 MB the first time"
	@$(BIN)/python tests/triton/environment.py
	@touch $@

lock: setup-check ## Write the lock files anew
	@$(PIP) uv
	@sh requirements/lock.sh $(BIN)/uv

clean: ## Remove what was built and installed; keeps the data folder
	@rm -rf $(VENV) .venv-triton .venv-triton.lock gen build dist edge/web/gen edge/web/dist edge/web/node_modules
