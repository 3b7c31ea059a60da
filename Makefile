# Everything runs from a virtual environment that the first command makes.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
HOST   ?= http://127.0.0.1:3004
USERS  ?= 200
RATE   ?= 50
TIME   ?= 1m
STAMP  := $(VENV)/.installed
SOURCES := setup.py pyproject.toml $(wildcard fastws/_core/*.pyx fastws/_core/*.pxd)

.PHONY: serve test check bench loadtest wheel sanitize clean install

serve: $(STAMP)            ## the main job: database, live market, page
	$(BIN)/fastws serve --demo

test: $(STAMP)             ## all tests
	$(BIN)/python -m pytest

check: $(STAMP)            ## style, types, stubs, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest fastws._core --ignore-missing-stub --concise

bench: $(STAMP)            ## figures that take minutes
	$(BIN)/python -m bench

loadtest: $(STAMP)         ## locust against a running server
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[load]'
	PYTHONPATH=. $(BIN)/locust -f loadtest/locustfile.py --headless --host $(HOST) \
		--users $(USERS) --spawn-rate $(RATE) --run-time $(TIME) --only-summary

wheel: $(STAMP)            ## sdist and wheel in dist/
	rm -rf dist && $(BIN)/python -m build

sanitize:                  ## compiled modules' tests under ASan and UBSan
	./bench/sanitize.sh

install: $(STAMP)

$(STAMP): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info fastws/_core/*.so .mypy_cache .ruff_cache .pytest_cache
