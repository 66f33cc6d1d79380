# Each target does its own set-up: python3 (3.11 or later) with its venv module is all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test quick check bench format clean

# Serve the reference app through the whole stack on a free port.
demo: $(READY)
	$(BIN)/python -m examples.reference

# Every test. A test whose program is missing is skipped with its reason, or fails with REQUIRE_SERVERS=1.
test: $(READY) chromium
	$(BIN)/python -m pytest

# The tests that start no server, browser or second process: under 30 seconds.
quick: $(READY)
	$(BIN)/python -m pytest -m "not slow" -x -q

# Format, lint, types.
check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python -m pytest -q tests/test_house.py

# Ours beside the peers, as ratios within one run.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(READY): $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

$(VENV)/.check: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check]'
	touch $@

$(VENV)/.bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	touch $@

# The browser of the reference app's tests: Debian's package, where we may install it.
.PHONY: chromium
chromium:
	@if command -v chromium >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; \
	else echo "chromium is not installed: its tests are skipped"; fi
