# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Compiled bytecode makes every start quicker; some environments switch it off.
export PYTHONDONTWRITEBYTECODE :=

# A test that hangs where no signal reaches it ends its worker, with the stacks of all threads, and
# a worker that ends early ends the run: nobody waits for ever.
STUCK := --max-worker-restart 0 -o faulthandler_timeout=330 -o faulthandler_exit_on_timeout=true

.PHONY: help run stack test lint format bench bench-servers soak prove programs geth clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

KERNELS := $(wildcard src/swapstats/core/kernels/*.py)
$(VENV)/.warm: $(READY) $(KERNELS)
	@echo "compiling kernels (once)"
	@$(BIN)/python -m swapstats.warm
	@touch $(VENV)/.warm

run: $(VENV)/.warm ## Set up, then run everything: open http://127.0.0.1:8080
	$(BIN)/swapstats run

stack: $(VENV)/.warm programs ## Start real servers (Kafka, Redis, NATS, S3) for ingest, aggregate, serve
	$(BIN)/python -m swapstats.stack

test: $(VENV)/.warm programs lint ## Set up, then run every check and test
	$(BIN)/python -m pytest -m "not prove and not servers" --numprocesses auto --dist loadfile --durations=15 $(STUCK)
	$(BIN)/python -m pytest -m "not prove and servers" --durations=15

lint: $(READY) ## Style, types and layers
	$(BIN)/ruff check src tests bench examples
	$(BIN)/ruff format --check src tests bench examples
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Put the style right
	$(BIN)/ruff check --fix src tests bench examples
	$(BIN)/ruff format src tests bench examples

bench: $(VENV)/.warm ## Measure every claim (about 10 minutes)
	$(BIN)/python bench/run_all.py

bench-servers: $(VENV)/.warm programs ## Measure catching up and checkpoints on real servers (15 minutes)
	$(BIN)/python bench/catch_up.py
	$(BIN)/python bench/checkpoint_servers.py

MINUTES ?= 60
soak: $(VENV)/.warm programs ## Run everything for an hour and watch memory and lag (MINUTES=60)
	$(BIN)/python bench/soak.py --minutes $(MINUTES)

prove: $(VENV)/.warm programs geth ## The long checks: 100 kills, many seeds
	$(BIN)/python -m pytest -m prove --timeout 3600

programs: $(READY) ## Install Debian's chromium and redis-server if they are missing and can be installed
	@for pair in chromium:chromium redis-server:redis-server; do \
	  program=$${pair%%:*}; package=$${pair##*:}; \
	  command -v $$program >/dev/null || { \
	    [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
	      apt-get install -y -qq --no-install-recommends $$package >/dev/null; } || \
	    echo "no $$program: its tests will be skipped (Debian: apt install $$package)"; }; \
	done
	@test -x $(BIN)/versitygw || { command -v go >/dev/null && \
	  echo "building versitygw, an S3 server (once, about 2 minutes)" && \
	  GOBIN="$(CURDIR)/$(BIN)" go install github.com/versity/versitygw/cmd/versitygw@v1.8.0; } || \
	  echo "no versitygw: tests of checkpoints on S3 will be skipped (install Go to have it built)"

geth: $(READY) ## Build go-ethereum, for tests of real reorgs (once, 5 minutes, needs Go)
	@test -x $(BIN)/geth || { command -v go >/dev/null && \
	  echo "building geth (once, about 5 minutes)" && \
	  GOBIN="$(CURDIR)/$(BIN)" go install github.com/ethereum/go-ethereum/cmd/geth@v1.17.0; } || \
	  echo "no geth: tests of reorgs as production nodes show them will be skipped (install Go)"

clean: ## Remove what was made, but not data/
	rm -rf $(VENV) build dist artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis
