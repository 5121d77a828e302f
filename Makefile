# Everything a developer types. Each target sets up what it needs; nothing is installed outside this
# folder. A machine needs Python 3.11 or newer, make and git; `interop` and `bench` also need Go.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
# An absolute path, so that programs started in other folders find the peers too.
export PEERS_BIN ?= $(CURDIR)/.peers/bin

# More arguments for pytest, for the demo or for the benchmark: make test ARGS="-k layout -x"
ARGS ?=
FOUND_PYTHON = $(or $(PYTHON),$(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,\
  $(shell $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name)))))

.PHONY: help
help: ## show this list
	@echo 'make TARGET, where TARGET is one of'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: setup
setup: $(STAMP) ## make the virtual environment (the other targets do it by themselves)

# uv installs from the same index and settings as pip and is many times faster.
$(STAMP): pyproject.toml constraints.txt core/pyproject.toml $(wildcard plugins/*/pyproject.toml)
	@[ -n "$(FOUND_PYTHON)" ] || { echo 'kitline needs Python 3.11 or newer, and found none:' \
	  'install it, or name one with make PYTHON=/path/to/python3.12' >&2; exit 1; }
	@$(FOUND_PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(FOUND_PYTHON) cannot make virtual" \
	  'environments: install its venv package (on Debian: python3-venv)' >&2; exit 1; }
	@echo 'setting up $(VENV) (once; a minute or two)'
	@[ -x $(BIN)/python ] || $(FOUND_PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt \
	  --editable ./core $(foreach plugin,$(wildcard plugins/*/pyproject.toml),--editable ./$(patsubst %/,%,$(dir $(plugin)))) \
	  --group dev
	@touch $@

.PHONY: demo
demo: $(STAMP) ## the whole pipeline on one digest: DVC, Kubeflow, MLflow, Airflow, and the way back
	@$(BIN)/python examples/pipeline/pipeline.py $(ARGS)

.PHONY: test
test: $(STAMP) ## all tests that need nothing but Python (under 4 minutes on 2 cores)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m 'not peer and not slow' $(ARGS)

.PHONY: lint
lint: $(STAMP) ## ruff, mypy for each distribution, import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy core/src
	@for plugin in $(wildcard plugins/*/src); do echo "mypy $$plugin"; $(BIN)/mypy $$plugin; done
	@$(BIN)/mypy conftest.py tests docs
	@MYPYPATH=benchmarks $(BIN)/mypy benchmarks
	@$(BIN)/lint-imports

.PHONY: peers
peers: ## build the programs that interop tests talk to (Go; ten minutes the first time)
	@command -v go >/dev/null || [ -x "$(PEERS_BIN)/kit" ] || { echo 'the peers are built with Go 1.26 or' \
	  'newer, and there is no go on PATH' >&2; exit 1; }
	@tests/peers/build

.PHONY: interop
interop: $(STAMP) peers ## tests against kit, oras, crane, skopeo, modctl and three real registries
	@KITLINE_REQUIRE_PEERS=$${KITLINE_REQUIRE_PEERS:-built} \
	  $(BIN)/python -m pytest -q -n 2 --dist worksteal -m 'peer or registry or slow' $(ARGS)

.PHONY: bench
bench: $(STAMP) peers ## kitline, kit, oras-py and curl side by side (10 GiB of disk, some minutes)
	@$(BIN)/python benchmarks/run.py $(ARGS)

.PHONY: docs
docs: $(STAMP) ## write the generated pages again, and build the documentation in site/
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean $(ARGS) 2>&1 | sed '/^INFO/d'
	@echo 'open site/index.html'

.PHONY: clean
clean: ## remove the virtual environment, peers, caches
	@rm -rf $(VENV) .peers .demo .bench site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +
