# `make` alone lists the targets.
PYTHON   ?= python3
VENV     ?= .venv
RUN      := $(VENV)/bin/python
VERSIONS ?= --constraint constraints.txt
# Files in order: the integration tests take longest, so they begin first.
PYTEST   := OMP_NUM_THREADS=1 $(RUN) -m pytest -n auto --dist loadgroup --no-loadscope-reorder
INSTALL  := $(RUN) -m pip install --quiet $(VERSIONS)
TIMESCALEDB := tests/support/pglite

.DEFAULT_GOAL := help
.PHONY: help train test pytest test-slow test-python test-newest lint fix page page-example demo docs docs-serve results bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# pip would compile everything on one core, also the packages' own tests. These, and what nothing
# here imports of Ray, are left out. A file that is written for another Python does not compile,
# which is no harm.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hydrascope needs Python 3.11 or newer; set PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --no-compile --editable '.[dev]'
	$(RUN) -m compileall -qq -j 0 -x '/(tests|rllib)/' $(VENV)/lib || true
	touch $@

# TimescaleDB for the tests. Without npm they are skipped and say so.
$(TIMESCALEDB)/node_modules/.package-lock.json: $(TIMESCALEDB)/package-lock.json
	cd $(TIMESCALEDB) && npm ci --silent --fetch-retries=1 || echo 'TimescaleDB is not tested: npm could not install it.'

train: $(VENV)/installed  ## install if needed, then train on the real rig and print the table
	$(RUN) train.py experiment=zema

test: lint pytest  ## install if needed, then lint, types, imports, tests

pytest: $(VENV)/installed $(TIMESCALEDB)/node_modules/.package-lock.json  ## tests only
	$(PYTEST) -m 'not slow'

test-slow: $(VENV)/installed $(TIMESCALEDB)/node_modules/.package-lock.json  ## the tests that `make test` leaves out
	$(PYTEST) -m slow

test-python:  ## tests only, with another Python: make test-python PYTHON=python3.13
	$(MAKE) pytest VENV=build/$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])')

test-newest:  ## tests only, with the newest release of everything (5 GB with CUDA)
	rm -f build/newest/installed
	$(MAKE) pytest VENV=build/newest VERSIONS='--upgrade --upgrade-strategy eager'

lint: $(VENV)/installed  ## lint, types and imports only
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

fix: $(VENV)/installed  ## mend what ruff can mend
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

page/node_modules: page/package-lock.json
	cd page && npm ci --no-audit --no-fund
	touch $@

page: page/node_modules  ## build the service's page and the report's drawings from page/ (needs Node 20.19 or newer)
	cd page && npm run build

page-example: page/node_modules  ## show the page with invented machines, and what you change in it
	cd page && npm run dev

demo: $(VENV)/installed  ## show a plant of a dozen rigs, two of which develop a fault, until Ctrl-C
	OMP_NUM_THREADS=1 $(RUN) -m demo

docs: $(VENV)/installed  ## build the documentation site in build/site; a dead link fails
	$(RUN) -m mkdocs build --strict

docs-serve: $(VENV)/installed  ## show the documentation site, and what you change in it
	$(RUN) -m mkdocs serve --livereload

bench: $(VENV)/installed  ## measure speeds against their goals
	$(INSTALL) --editable '.[dev,bench]'
	$(RUN) -m benchmarks all

results: $(VENV)/installed  ## measure all five folds and write docs/results.md (hours)
	$(INSTALL) --editable '.[dev,bench]'
	$(RUN) -m benchmarks.zema_folds

clean:  ## remove what training and testing made
	rm -rf build outputs multirun bundles mlruns.db .pytest_cache .mypy_cache .ruff_cache
