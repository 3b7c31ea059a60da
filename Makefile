# Everything runs from a virtual environment that the first command makes.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
HOST   ?= http://127.0.0.1:3004
USERS  ?= 80
RATE   ?= 10
TIME   ?= 1m
MINUTES ?= 10
STAMP  := $(VENV)/.installed
SOURCES := setup.py pyproject.toml $(wildcard fastws/_core/*.pyx fastws/_core/*.pxd)
MADE   := build dist wheelhouse *.egg-info fastws/_core/*.so fastws/_core/*.c fastws/_core/*.html \
	.mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache .coverage

.DEFAULT_GOAL := help
.PHONY: help install serve test check bench loadtest soak wheel sanitize vendor clean

help:                      ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 12

install: $(STAMP)          ## the virtual environment, with fastws built in place

serve: $(STAMP)            ## the whole server: its own database, a live market, a page
	$(BIN)/fastws serve --demo

test: $(STAMP)             ## all tests (those of the page want chromium and node, or are skipped)
	$(BIN)/python -m pytest

check: $(STAMP)            ## style, types, stubs, import contract, layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest fastws._core --ignore-missing-stub --concise
	$(BIN)/python -m pytest -q tests/test_layout.py

bench: $(STAMP)            ## figures of the compiled modules and of a server, beside others' too; some minutes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m bench

loadtest: $(STAMP)         ## locust against a running server: HOST, USERS, RATE, TIME
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[load]'
	PYTHONPATH=. $(BIN)/locust -f loadtest/locustfile.py --headless --host $(HOST) \
		--users $(USERS) --spawn-rate $(RATE) --run-time $(TIME) --only-summary

soak: $(STAMP)             ## clients that come and go for MINUTES (10): does the server grow?
	MINUTES=$(MINUTES) $(BIN)/python -m bench soak

wheel: $(STAMP)            ## sdist and wheel in dist/, tried in an empty venv without a compiler
	./bench/wheel.sh $(BIN)/python

sanitize: $(STAMP)         ## compiled modules' tests under ASan and UBSan
	./bench/sanitize.sh $(BIN)/python

vendor:                    ## copy the browser libraries from npm again (versions: docs/vendor.sh)
	./docs/vendor.sh

$(STAMP): $(SOURCES)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:                     ## everything made here; the data folder .fastws stays
	rm -rf $(VENV) $(MADE)
	find bench docs fastws loadtest tests -name __pycache__ -type d -prune -exec rm -rf {} +
