# Commands for a fresh checkout; each installs what it needs into .venv first.
# `make PYTHON=python3.12 ...` chooses the interpreter that .venv is created with (3.11 or newer), `make WORKERS=8 test`
# how many processes run the tests, each with one thread.

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin

.PHONY: help demo test wheel clean

help:
	@echo 'make demo   encode and decode a photograph and a depth map, write demo/demo.png'
	@echo 'make test   lint, check the format of the code and run the tests'
	@echo 'make wheel  build a wheel into dist/'
	@echo 'make clean  remove .venv and everything that these commands made'

demo: .venv/.demo
	$(BIN)/python -m dinp.benchmarks.demo

test: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# A stale build folder would put deleted files into the wheel.
wheel: $(BIN)/python
	rm -rf build
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist .

clean:
	rm -rf .venv build dist demo *.egg-info .pytest_cache .ruff_cache
	find codec models entropy benchmarks tests -name __pycache__ -type d -exec rm -rf {} +

# .venv/.demo and .venv/.test stamp what is installed: the package, editable, with its compiled kernels and the extra of
# that name.
.venv/.demo .venv/.test: .venv/.%: pyproject.toml setup.py constraints.txt codec/_version.py $(wildcard codec/kernels/*.[ch]) | $(BIN)/python
	$(BIN)/python -m pip install -c constraints.txt -e '.[$*]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv .venv
