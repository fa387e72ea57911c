# The commands of this project, from a bare machine with Python 3.11+, git and make.
# `make` alone lists them. Each line that a person should see in that list ends in `## what it does`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000

# Where things lie. Each may be set from outside; a place outside is never deleted by `make clean`.
export DQ_CONFIG ?= $(CURDIR)/assets_config
export DQ_LAKE ?= $(CURDIR)/lake
export DQ_LANDING ?= $(CURDIR)/landing
# Users, keys, sessions and the audit log: no sample data, so `make clean` leaves them (rm -r .dq removes them).
export DQ_STATE ?= $(CURDIR)/.dq
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home

# Imports take twice as long without compiled bytecode, and a run imports much.
unexport PYTHONDONTWRITEBYTECODE
# The libraries' reports to their makers are not ours to send (Dagster's are turned off in dagster.yaml).
export GX_ANALYTICS_ENABLED := false

# The stamp carries a checksum of what decides about the environment: a fresh clone, a changed branch or a
# touched file installs again only when the contents differ.
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(STAMP) ## make .venv and install the project with its tools (only when something changed)

# The first python that runs, is new enough and can make an environment (Debian's may lack ensurepip).
# uv installs in a quarter of pip's time, but it reads none of pip's settings: where pip is told of a registry
# of its own, or uv fails, pip does it.
$(STAMP):
	@python=$$(for candidate in $${PYTHON:-} python3.11 python3.12 python3.13 python3 python; do \
	    if "$$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then echo "$$candidate"; break; fi; done); \
	if [ -z "$$python" ]; then \
	    echo "make setup: wanted Python 3.11 or later with venv, found none on PATH (name one: make setup PYTHON=/path/to/python3)" >&2; \
	    exit 1; fi; \
	echo "make setup: $$("$$python" --version) in $(VENV)"; \
	"$$python" -m venv $(VENV)
	@$(INSTALL) uv
	@if $(BIN)/python -m pip config list | grep -q '\.index-url=' \
	    || ! $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode \
	        -c constraints.txt --build-constraints constraints.txt -e '.[dev]'; \
	then echo "make setup: installing with pip"; $(INSTALL) -e '.[dev]'; fi
	@rm -f $(VENV)/.installed-*
	@touch $@

# Dagster's own records. A home of yours keeps its dagster.yaml; ours follows the checkout's.
.PHONY: dagster-home
dagster-home:
	@mkdir -p "$$DAGSTER_HOME"
	@chmod 700 "$$DAGSTER_HOME" || echo "make: others may read $$DAGSTER_HOME, which is not yours" >&2
	@if [ "$$DAGSTER_HOME" = "$(CURDIR)/.dagster_home" ]; then ln -sf ../dagster.yaml "$$DAGSTER_HOME/dagster.yaml"; fi

.PHONY: run
run: setup dagster-home ## sample data, every asset with its checks, a quality report
	$(BIN)/dq sample --all
	$(BIN)/python -m dq_pipelines.run_all
	$(BIN)/dq report

.PHONY: serve
serve: setup dagster-home ## Dagster's UI and the dashboard at http://127.0.0.1:3000, schedules and sensors running (PORT=…)
	$(BIN)/dq serve -w workspace.yaml --host 127.0.0.1 --port $(PORT)

.PHONY: test
test: setup ## the tests that take a few minutes together (PYTEST="-k name" for some of them)
	$(BIN)/python -m pytest -n auto -m 'not torture and not slow' $(PYTEST)

.PHONY: test-slow
test-slow: setup ## those that drive servers, browsers, databases and Spark, or kill runs: CI runs both
	$(BIN)/python -m pytest -n auto -m 'slow and not torture' $(PYTEST)

.PHONY: check
check: setup ## lint, format, types, rooms, generated docs: everything that needs no run
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/dq check
	$(BIN)/dq schema --check
	$(BIN)/dq docs --check

.PHONY: format
format: setup ## let ruff lay out the code and mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: docs
docs: setup ## write the generated docs and the JSON Schema anew
	$(BIN)/dq schema
	$(BIN)/dq docs

.PHONY: bench
bench: setup ## time the main paths beside their peers, write docs/performance.md (BENCH=--quick for a try)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e '.[bench]' \
	    || $(INSTALL) -e '.[bench]'
	$(BIN)/python -m dq_pipelines_tests.benchmarks $(BENCH)

.PHONY: torture
torture: setup ## the long tests: many examples, kills, full disks
	HYPOTHESIS_PROFILE=torture $(BIN)/python -m pytest -n auto -m 'torture or not browser' $(PYTEST)

.PHONY: chaos
chaos: setup ## kill runs and harm stores, run again, compare the lake with an oracle (N=2000 for a night)
	$(BIN)/python -m dq_pipelines_tests.chaos $(or $(N),200) $(if $(SEED),--seed $(SEED))

.PHONY: chaos-serve
chaos-serve: setup ## kill the processes of a dq serve under load, time its recovery, compare with an oracle
	$(BIN)/python -m dq_pipelines_tests.chaos $(or $(N),200) --serve $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: pictures
pictures: setup ## take the pictures of docs/console.md in Chromium
	PICTURES=docs/pictures $(BIN)/python -m pytest -q -m slow dq_pipelines_tests/web/test_pictures.py

.PHONY: lock
lock: setup ## resolve the newest versions that pyproject.toml admits into constraints.txt
	{ sed -n '/^[^#]/q;p' constraints.txt; \
	  $(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --extra dev --extra bench \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml; } > constraints.new
	mv constraints.new constraints.txt

.PHONY: clean
clean: ## remove sample data, the lake, Dagster's records and caches of this checkout (the environment and .dq, with its users, stay)
	rm -rf -- lake landing .dagster_home .tmp_dagster_home_* logs dist build \
	    .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find dq_pipelines dq_pipelines_tests -name __pycache__ -type d -prune -exec rm -rf {} +
