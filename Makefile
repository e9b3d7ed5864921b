# Every target makes .venv from the lock by itself when that is needed. Python 3.11–3.13 and make are all it takes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo ui portal cluster test search check bench bench-full lock clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv and install the locked dependencies

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 to 3.13 is needed, {sys.executable} is {v[0]}.{v[1]}: make PYTHON=python3.12 …")'
	@echo "Installing the locked dependencies into $(VENV) (about a minute and a half) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(STAMP) ## Three sample museums, two weeks: archives in, DOIs out
	@$(BIN)/dissco demo

ui: $(STAMP) ## Dagster's web interface over the same state (http://127.0.0.1:3000)
	@$(BIN)/dissco ui

portal: $(STAMP) ## The pages that DOIs lead to, search, API, enrolment desk (http://127.0.0.1:8000)
	@$(BIN)/dissco portal

test: $(STAMP) ## Run the tests
	@$(BIN)/python -m compileall -q dissco_platform tests  # hundreds of processes import it
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

search: $(STAMP) ## The tests of properties with examples that were never tried, ten times over
	@for round in 1 2 3 4 5 6 7 8 9 10; do $(BIN)/python -m pytest -q -n 2 -m hypothesis --hypothesis-profile=search || exit 1; done

check: $(STAMP) ## Lint, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

cluster: $(STAMP) ## The production layout on this machine: PostgreSQL, S3, workers (Ctrl-C stops it)
	@$(BIN)/python -m deploy.cluster

bench: $(STAMP) ## The benchmarks, some minutes (docs/performance.md, benchmarks/results)
	@$(BIN)/python -m compileall -q dissco_platform benchmarks  # as after a first run
	@$(BIN)/python -m benchmarks

bench-full: $(STAMP) ## To ten million records, with faults and the cluster: hours
	@$(BIN)/python -m compileall -q dissco_platform benchmarks
	@$(BIN)/python -m benchmarks --full

lock: ## Renew requirements.lock from pyproject.toml (needs uv)
	@uv pip compile --universal --generate-hashes --no-strip-extras --python-version 3.11 --all-extras --no-header \
		--no-annotate --quiet pyproject.toml -o requirements.lock
	@uv pip compile --universal --generate-hashes --no-strip-extras --python-version 3.11 --extra production --no-header \
		--no-annotate --quiet --constraints requirements.lock pyproject.toml -o deploy/production/requirements.lock

clean: ## Remove the environment and caches; the state in .dissco stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
