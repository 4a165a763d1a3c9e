# Two commands matter: `make demo` does the whole job once on real data, `make test` checks everything.
# Both make their own environment in .venv; nothing outside this folder is touched.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
DEMO   := $(VENV)/.installed-demo
DEV    := $(VENV)/.installed-dev
KERAS  := $(VENV)/.installed-keras
# Small networks: more threads only fight for the cores.
export OMP_NUM_THREADS ?= 1
# One worker for each core; each imports torch, so not more than eight.
WORKERS ?= -n auto --maxprocesses 8 --dist worksteal

.PHONY: help demo test lint heavy keras docs clean
.DELETE_ON_ERROR:

help:
	@echo "make demo    train, quantise, build firmware, run it on an emulated Cortex-M4, compare everything"
	@echo "make test    lint, types and tests (make lint: the first two; make heavy: the long suites;"
	@echo "             make keras: those that need TensorFlow)"
	@echo "make docs    write the generated pages of docs/ again"
	@echo "make clean   remove .venv and everything that was built"

demo: $(DEMO)
	$(BIN)/edgeq demo -o demo

test: lint
	$(BIN)/python -m pytest $(WORKERS)

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

heavy: $(DEV)
	$(BIN)/python -m pytest -m heavy $(WORKERS) $(if $(MINUTES),--minutes $(MINUTES)) $(SUITES)

# TensorFlow is large, so only this target installs it.
keras: $(KERAS)
	$(BIN)/python -m pytest -W ignore tests/frontends/test_keras.py

docs: $(DEV)
	$(BIN)/python -m edgeq.boards
	$(BIN)/python -m edgeq.ir.docs

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that is there is kept, so that a torch of your choice can be put into it beforehand.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "edgeq needs Python 3.11 or newer; '$(PYTHON)' is older or missing. Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "'$(PYTHON)' cannot make an environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing edgeq and what it needs into $(VENV)'
	@$(PIP) install -q -c constraints.txt -e '.[demo]'
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	@echo 'installing edgeq and the tools of its tests into $(VENV)'
	@$(PIP) install -q -c constraints.txt -e '.[dev]'
	@touch $(DEMO) $@

$(KERAS): $(DEV)
	@echo 'installing TensorFlow into $(VENV)'
	@$(PIP) install -q -c constraints.txt -e '.[keras]'
	@touch $@
