# Everything starts here: `make demo` to see pnode at work, `make test` to see whether it is right.
# Needs make, Python 3.11 or newer and pip; `make test PYTHON=python3.13` takes another Python than python3.

PYTHON ?= python3
PACKAGES := protocol mappers profilers node sim
MODULES := $(sort $(wildcard $(addsuffix /*.py,$(PACKAGES))))

BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
# mypy cannot follow the working environment's editable install, so it has one of its own, in which every module is
# linked by itself. The links are made anew whenever the list of modules has changed, hence its checksum in the name.
TYPES := .venv-types/.modules-$(shell echo $(MODULES) | cksum | cut -d ' ' -f 1)

# What pnode is measured against is installed apart, by whoever measures: never a dependency of ours.
PEERS := .venv-peers/.made
# So is pnode itself, as its users have it: an editable installation makes every process start 30 ms later.
INSTALLED := .venv-pnode/.made
SOURCES := .venv-pnode/sources

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test lint types unit processes cover figures bench bench-peers growth tables membership reality chaos chaos-real format clean

help:  ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: $(DEV)  ## Make the virtual environment in .venv, with what the tests need

demo: $(RUNTIME)  ## Run a task graph of 14 tasks on four local nodes
	$(BIN)/pnode demo examples/stdlib/dag.txt --nodes 4 --output demo-output

test: lint types unit processes  ## Run every check and every test; at most 15 minutes on 2 cores
	@echo "all checks and tests have passed"

lint: $(DEV)  ## Check layout and style
	@echo "checking layout (ruff format) and style (ruff check)"
	@$(BIN)/ruff format --quiet --check . || { echo "the files above would change; run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .

types: $(TYPES)  ## Check types
	@echo "checking types (mypy, strict)"
	@.venv-types/bin/mypy $(PACKAGES:%=-p pnode.%) -p tests

unit: $(DEV)  ## Run the tests of parts: architecture, packaging, protocol, simulated clusters
	@echo "testing parts, a directory beside another"
	@$(BIN)/python -m tests not processes

processes: $(DEV)  ## Run the tests of the whole: real node processes through the command line
	@echo "testing the whole, with real processes, a file beside another"
	@$(BIN)/python -m tests processes

cover: $(DEV)  ## Say which lines and branches the tests of parts leave out
	@$(BIN)/python -m coverage run -m pytest -q -m "not processes"
	@$(BIN)/python -m coverage report

figures: $(RUNTIME)  ## Measure, and print each figure as `name value unit`; at most 5 minutes
	@test -n "$(wildcard tests/benchmarks/figure_*.py)" || { echo "no tests/benchmarks/figure_*.py" >&2; exit 1; }
	@status=0; for script in $(sort $(wildcard tests/benchmarks/figure_*.py)); do \
	    echo "# $$script"; \
	    $(BIN)/python -m tests.benchmarks.$$(basename "$$script" .py) || { echo "# $$script failed" >&2; status=1; }; \
	done; exit $$status

ROUNDS := 3
bench: $(RUNTIME) $(INSTALLED)  ## Measure pnode beside what the machine allows, in turns; make bench ROUNDS=3
	@$(BIN)/python -m tests.peers --alone --rounds $(ROUNDS)

bench-peers: $(RUNTIME) $(INSTALLED) $(PEERS)  ## The same beside its peers as well, and write docs/performance.md; 40 minutes
	@$(BIN)/python -m tests.peers docs/performance.md --rounds $(ROUNDS)

MOST := 100000
growth: $(RUNTIME)  ## Measure what a task costs as there are more of them, and fill docs/growth.md; an hour
	@$(BIN)/python -m tests.growth docs/growth.md --rounds $(ROUNDS) --most $(MOST)

DATA := ../shared/data
tables: $(RUNTIME)  ## Measure every mapper, and write the tables and plots of docs/mappers.md; 20 minutes
	@$(BIN)/python -m pnode.sim.study.quality examples/studies/quality.toml docs/mappers.md --data "$(DATA)"
	@$(BIN)/python -m pnode.sim.study.tenancy docs/mappers.md

membership: $(RUNTIME)  ## Measure how nodes look after each other, and fill docs/membership.md; a day, goes on where it was
	@nice $(BIN)/python -m tests.membership docs/membership.md

reality: $(RUNTIME)  ## Compare live runs with their simulation, on local nodes of emulated speeds; six minutes
	@$(BIN)/python -m tests.benchmarks.reality

SEEDS := 200
FIRST := 0
NODES := 16
chaos: $(RUNTIME)  ## Let everything go wrong in simulated clusters; make chaos SEEDS=200 FIRST=0 NODES=16; hours
	@$(BIN)/python -m tests.sim.chaos.named
	@$(BIN)/pnode sim chaos --seed $(FIRST) --seeds $(SEEDS) --nodes $(NODES) --minutes 10

chaos-real: $(RUNTIME)  ## Kill, pause and cut off real nodes, and write what was measured; two hours, some of it as root
	@$(BIN)/python -m tests.chaos

format: $(DEV)  ## Lay out the sources and mend what can be mended by itself
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

clean:  ## Remove the environments and everything built or cached
	rm -rf .venv .venv-types .venv-peers .venv-pnode build dist pnode.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find $(PACKAGES) tests examples -name __pycache__ -prune -exec rm -rf {} +

# An environment, $(1), with what is in $(2) installed.
#
# Debian and its descendants ship Python without ensurepip. There the environment is made without pip, and the pip that
# belongs to $(PYTHON) installs into it.
define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "pnode needs Python 3.11 or newer and $(PYTHON) is not; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	    exit 1; }
	@if $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "making a virtual environment in $(1)"; \
	    $(PYTHON) -m venv $(1); \
	elif $(PYTHON) -c 'import venv, pip' 2>/dev/null; then \
	    echo "making a virtual environment in $(1), with the pip of $(PYTHON)"; \
	    $(PYTHON) -m venv --without-pip $(1); \
	else \
	    echo "$(PYTHON) can make no virtual environment; on Debian and Ubuntu: apt install python3-venv" >&2; \
	    exit 1; \
	fi
	@echo "installing into $(1), which may take a minute"
	@if [ -x $(1)/bin/pip ]; then pip="$(1)/bin/python -m pip"; else pip="$(PYTHON) -m pip --python $(1)/bin/python"; fi; \
	    $$pip install --quiet $(2)
endef

$(RUNTIME): pyproject.toml
	$(call install,.venv,-e .)
	@touch $@

$(DEV): pyproject.toml
	$(call install,.venv,-e '.[dev]')
	@touch $(RUNTIME) $@

$(TYPES): pyproject.toml
	$(call install,.venv-types,-e '.[dev]' --config-settings editable_mode=strict)
	@rm -f .venv-types/.modules-*
	@touch $@

$(INSTALLED): pyproject.toml $(MODULES) $(wildcard sim/*/*.py)
	@rm -rf .venv-pnode && mkdir -p $(SOURCES) && cp -r pyproject.toml README.md LICENSE $(PACKAGES) $(SOURCES)
	$(call install,.venv-pnode,./$(SOURCES))
	@touch $@

$(PEERS):
	$(call install,.venv-peers,pip)
	@touch $@
