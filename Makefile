# make run    the daemon with its test picture, live: open the address that it prints
# make test   all tests, those in a real browser too
# make test-faults  each fault that can be foreseen, and what becomes of it; as root, for networks of its own
# make check  format, lint, types, floors
# make bench  how fast a viewer joins, how late the picture is, what it costs

PYTHON ?= python3
BIN := .venv/bin
# On a Raspberry Pi the camera's library belongs to the system's Python.
SYSTEM_PACKAGES = $(shell $(PYTHON) -c 'import importlib.util as u; u.find_spec("picamera2") and print("--system-site-packages")')
TEST_SOURCES := --set video.source=test --set audio.source=test

run: .venv
	$(BIN)/broadcaster run --live $(TEST_SOURCES) $(ARGS)

test: $(BIN)/pytest
	@tests/tools.sh browser microphone node
	$(BIN)/pytest $(ARGS)

check: $(BIN)/pytest
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@tests/tools.sh npx
	npx --yes --package typescript@5.9.3 tsc --project viewer/jsconfig.json
	@tests/audit.sh

test-faults: $(BIN)/pytest
	@tests/tools.sh browser network
	$(BIN)/pytest -m "long or not long" --publish tests/faults $(ARGS)

bench: $(BIN)/pytest
	@tests/tools.sh browser
	$(BIN)/python -m tests.bench $(ARGS)

.venv: $(BIN)/broadcaster

# Made when missing or older than pyproject.toml.
$(BIN)/broadcaster: pyproject.toml
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit(1)' || \
	  { echo 'Python 3.11 to 3.13 is needed, for example: make PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $(SYSTEM_PACKAGES) .venv
	$(BIN)/pip install --quiet --editable .
	@touch $@

# What only tests and checks need. picamera2 runs over stand-ins there, so without its dependencies, and never over apt's.
$(BIN)/pytest: $(BIN)/broadcaster
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/python -c 'import importlib.util as u; raise SystemExit(not u.find_spec("picamera2"))' || \
	  $(BIN)/pip install --quiet --no-deps 'picamera2>=0.3.32'
	@touch $(BIN)/broadcaster $@

.PHONY: run test test-faults check bench .venv
