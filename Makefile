# The two commands a newcomer needs are `make demo` and `make test`; each does all of its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A file stays in one process. Two of them keep two cores busy, and leave room for the browser and the servers.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
# Rooms with compiled modules, and what is promised of the whole.
COMPILED_TESTS := tests/test_compiled.py tests/test_build.py tests/test_gate.py tests/policy tests/store tests/observe \
  tests/upstream tests/web tests/must_hold tests/threads
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
NODE_STAMP := .cache/node/installed

.PHONY: demo examples test compiled test-compiled lint types unit bench soak constraints system clean help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "gateway needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=...")'
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian, apt-get install python3-venv" >&2; exit 1; }

$(RUN_STAMP): constraints-run.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints-run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): constraints.txt pyproject.toml $(RUN_STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	@touch $@

$(NODE_STAMP): .ci/node-packages .ci/node | system
	@./.ci/node

demo: $(RUN_STAMP) ## the gateway, a mock Genesys and a demo shop on loopback
	@exec $(BIN)/gateway demo

system: ## what the whole test suite needs from Debian
	@./.ci/system

examples: ## React for the demo's example page, and what the browser tests take from npm
	@./.ci/browser-parts

test: $(DEV_STAMP) system $(NODE_STAMP) examples lint types unit ## everything: format, lint, types, all tests, coverage

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_STAMP)
	$(BIN)/mypy

unit: $(DEV_STAMP)
	$(PYTEST) tests/policy --cov=gateway.policy --cov-report=term-missing:skip-covered --cov-fail-under=100
	$(PYTEST) --ignore=tests/policy -o cache_dir=.pytest_cache/whole --cache-clear || $(BIN)/python -m tests.alone $$?

coverage: $(DEV_STAMP) system $(NODE_STAMP) ## branch coverage of everything, by the whole suite
	$(PYTEST) --cov --cov-report=term:skip-covered

bench: $(DEV_STAMP) ## figures beside peers, as ratios of one run (docs/performance.md)
	$(BIN)/python -m tests.bench

soak: $(DEV_STAMP) ## what must not grow, within bounds: requests, sockets, slow clients, SIGTERM under load
	$(BIN)/python -m tests.soak

compiled: $(DEV_STAMP) ## a wheel with the inner modules compiled, in dist/ (needs gcc and the headers of Python)
	@./.ci/compiled

test-compiled: compiled system $(NODE_STAMP) ## the tests of the data path, against that wheel
	@./.ci/compiled tests
	@cd .cache/compiled/tree && EXPECT_COMPILED=1 $(CURDIR)/$(PYTEST) $(COMPILED_TESTS)

constraints: ## pin every dependency again, with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-annotate --python-version 3.11 pyproject.toml .ci/build.in -o constraints-run.txt
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-annotate --python-version 3.11 --group dev pyproject.toml .ci/build.in -o constraints.txt

clean: ## remove what set-up and tests made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist
