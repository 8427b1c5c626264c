# Every target sets up what it needs. PYTHON may name another interpreter, 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHAPES := --jaxtyping-packages=subtx_toy,beartype.beartype
# One thread per process. Compiled modules are kept, for the many processes that tests start. Every worker begins with
# a part of its own, so that a module's fixtures are mostly made once.
PYTEST := PYTHONDONTWRITEBYTECODE= OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal
STAMP := $(VENV)/.installed
OVERRIDE ?=
TESTS ?= tests/unit tests/cli

.PHONY: help setup demo docs links browser test shapes thorough lower-bounds hooks lint format typecheck build clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/'

setup: $(STAMP)  ## make .venv with the versions in constraints.txt

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: setup  ## reproduce the published MNIST result: 10 seeds, about 3 minutes on 2 cores
	mkdir -p out
	$(BIN)/subtx-toy run cloud2025 --seeds 0:10 --store out/results.sqlite --figure out/cloud2025-mnist.png

docs: setup  ## build the documentation into out/docs; a warning is an error
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html -d out/doctrees docs out/docs

links: setup  ## check the links of the documentation, those to other sites too
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m sphinx -q -b linkcheck -D nb_execution_mode=off docs out/links

browser: setup  ## install what the tests of pages need; without it they are skipped
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& timeout 180 apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| echo 'no Chromium here: install one, or name it in SUBTX_TOY_BROWSER; the tests of pages are skipped'

test: setup  ## run the tests
	$(PYTEST)

shapes: setup  ## the tests of problem, theory, training and claims again, with the annotated shapes of every call checked
	SUBTX_TOY_HYPOTHESIS_PROFILE=shapes $(PYTEST) $(SHAPES) \
		tests/unit/test_annotations.py tests/unit/problem tests/unit/theory tests/unit/training tests/unit/claims

thorough: setup  ## the tests with 2,000 examples a property, and the slow ones
	SUBTX_TOY_HYPOTHESIS_PROFILE=thorough $(PYTEST) $(SHAPES) --run-slow --timeout=3600

lower-bounds: setup  ## the tests with the oldest versions that pyproject.toml allows; OVERRIDE=torch==2.13.0 replaces one
	mkdir -p out
	$(BIN)/python -m tests.reference.lower_bounds $(OVERRIDE) > out/lower-bounds.txt
	$(PYTHON) -m venv out/lower-bounds
	out/lower-bounds/bin/python -m pip install --quiet --disable-pip-version-check -c out/lower-bounds.txt -e '.[dask,export,test]'
	OPENBLAS_NUM_THREADS=1 out/lower-bounds/bin/python -m pytest -q -n auto $(TESTS)

hooks: setup  ## run the quick checks before every commit, and all of .ci/run before every push
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pre-commit
	$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

lint: setup  ## check the style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: setup  ## correct the style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

typecheck: setup  ## check the types
	$(BIN)/mypy

build: setup  ## build the wheel and the source archive in dist/
	$(BIN)/python -m build --quiet

clean:  ## remove the environment and everything made
	rm -rf $(VENV) out dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
