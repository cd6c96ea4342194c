# Every target makes the environment it needs by itself. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
export SERVICE ?=
export MESSAGE ?=

.PHONY: help up down test quick check format bench faults contracts lock coverage simulate observability alerts fuzz abuse revision

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

up: .venv/.local ## Start everything and look at a real community (ARGS="--detach --port 18000")
	@$(BIN)/guildhall up $(ARGS)

down: .venv/.local ## Stop what `make up` started
	@$(BIN)/guildhall down $(ARGS)

test: check ## All checks, all tests on real PostgreSQL and Kafka, coverage of the kernel (ARGS="-k words" narrows)
	@$(BIN)/coverage erase
	@$(BIN)/python -m tests.run $(ARGS)

coverage: .venv/.dev ## All tests, and what all of them reach, services too: more than twice as long
	@$(BIN)/coverage erase
	@GUILDHALL_TEST_MEASURES_ALL=yes $(BIN)/python -m tests.run $(ARGS)

quick: .venv/.dev ## For every save: format, lint, and the tests that need no server, in half a minute
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/python -m pytest --quick -q -n $${GUILDHALL_TEST_WORKERS:-2} --dist worksteal $(ARGS)

check: .venv/.dev ## Format, lint, types, import boundaries, what was forgotten, migrations, contracts, dashboard
	@echo "ruff format";       $(BIN)/ruff format --check --quiet .
	@echo "ruff check";        $(BIN)/ruff check --quiet .
	@echo "mypy --strict";     $(BIN)/mypy --no-error-summary
	@echo "import boundaries"; $(BIN)/lint-imports --no-cache > .import-linter.log 2>&1 || { cat .import-linter.log; exit 1; }
	@echo "nothing forgotten"; $(BIN)/python -m tests.check_forgotten
	@echo "planted bugs";      git apply --unidiff-zero --check tests/simulation/bugs/*.patch
	@echo "migrations";        $(BIN)/python -m tests.check_migrations
	@echo "contracts";         $(BIN)/python -m deploy.contracts check
	@echo "observability";     $(BIN)/python -m deploy.observability check

format: .venv/.dev ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

revision: .venv/.dev ## Write a migration to what the code declares (SERVICE=content MESSAGE="threads have a language")
	@$(BIN)/python -m tests.write_revision "$$SERVICE" "$$MESSAGE"

contracts: .venv/.dev ## Write contracts/ from the code
	@$(BIN)/python -m deploy.contracts write

observability: .venv/.dev ## Write the Grafana dashboard and the run book's tables from the code
	@$(BIN)/python -m deploy.observability write

alerts: .venv/.dev ## Have promtool check the alerts and try each on made-up series (PROMTOOL=path)
	@$(BIN)/python -m tests.deploy.observability.promtool $(PROMTOOL)

bench: .venv/.dev ## Measure the budgets, each as a ratio to its limit
	@$(BIN)/python -m benchmarks.run $(ARGS)

faults: .venv/.dev ## Kill, stop, cut and fill a whole system and count what it lost (ARGS="kill-postgres --long", --list)
	@$(BIN)/python -m tests.faults.run $(ARGS)

simulate: .venv/.dev ## The kernel on a virtual clock under seeded faults (SEEDS=20000, or SEED=n to replay one)
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000)) $(ARGS)

fuzz: .venv/.dev ## Send many bad requests to every service (REQUESTS=200000 SEED=word EPISODE=source/number)
	@$(BIN)/python -m tests.fuzz --requests $(or $(REQUESTS),20000) --seed "$(SEED)" --episode "$(EPISODE)" $(ARGS)

abuse: .venv/.dev ## What the worst requests cost, and what a hundred clients that send them do to another
	@$(BIN)/python -m tests.security

lock: .venv/.dev ## Pin every dependency with its hashes, without addresses
	@for set in run local dev; do \
	  extra=$$([ $$set = run ] || echo "--extra $$set"); \
	  $(BIN)/uv pip compile pyproject.toml $$extra --quiet --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --output-file requirements/$$set.txt; \
	done
	@! grep -nE 'https?://' requirements/*.txt

# One folder for both sets: the developer's holds the newcomer's.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Guildhall needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name one: make PYTHON=python3.12 …")'
	@echo "environment: making .venv"
	@$(PYTHON) -m venv .venv || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }

.venv/.local: requirements/local.txt pyproject.toml | .venv/bin/python
	@echo "environment: installing from requirements/local.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/local.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.local
	@echo "environment: installing from requirements/dev.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
