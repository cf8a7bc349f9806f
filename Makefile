# make run    run the daemon live with the test picture; open the printed address
# make test   run all tests, including those in a real browser
# make test-faults  cause each known fault and measure recovery; as root, because it makes network namespaces
# make test-films   play 287 media files of all kinds, and compare with ffmpeg; on a PC
# make fuzz   SECONDS=60: fuzz all external input, each surface for so long; on a PC
# make soak   MINUTES=60: ten viewers, and a fault every half minute; SEED=… repeats a run
# make check  check format, lint, types and layers
# make bench  measure joining time, latency and CPU time
# sudo make install       install or update the service, and start it; SOURCE=test: with the test picture
# sudo make uninstall     remove the service; settings and films stay
# sudo make test-system   install the service in containers with systemd, and test it there
# sudo make test-arm      install and run it on emulated aarch64, Debian Bookworm and Trixie; on a PC
# sudo make test-vm       test a V4L2 camera and a sound card in a virtual machine; on a PC

PYTHON ?= python3
SECONDS ?= 60
MINUTES ?= 60
BIN := .venv/bin
# On a Raspberry Pi, picamera2 is installed for the system's Python.
SYSTEM_PACKAGES = $(shell $(PYTHON) -c 'import importlib.util as u; u.find_spec("picamera2") and print("--system-site-packages")')
# The test run keeps its own state, so that a later `broadcaster run` does not go live with the camera.
TEST_SETTINGS := --set video.source=test --set audio.source=test --set stream.state_dir=.venv/state

run: .venv
	$(BIN)/broadcaster run --live $(TEST_SETTINGS) $(ARGS)

test: $(BIN)/pytest
	@tests/tools.sh browser microphone node
	@tests/tools.sh firefox turn nginx caddy || echo "Until then the tests with Firefox, a relay and proxies are skipped."
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
	@tests/tools.sh turn || echo "Until then the test with a relay is skipped."
	$(BIN)/pytest -m "long or not long" --publish tests/faults $(ARGS)

test-films: $(BIN)/pytest
	@tests/tools.sh ffmpeg || echo "Until then the films are skipped."
	$(BIN)/pytest -m "long or not long" tests/films $(ARGS)

test-vm: $(BIN)/pytest
	tests/vm/run.sh

fuzz: $(BIN)/pytest
	$(BIN)/pip install --quiet --editable '.[fuzz]'
	@touch $(BIN)/broadcaster $(BIN)/pytest
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

soak: $(BIN)/pytest
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: $(BIN)/pytest
	@tests/tools.sh browser
	$(BIN)/python -m tests.bench $(ARGS)

install:
	@SOURCE='$(SOURCE)' systemd/install.sh

uninstall:
	@systemd/uninstall.sh

test-system: $(BIN)/pytest
	@tests/tools.sh container
	$(BIN)/pytest -m long -o faulthandler_timeout=0 tests/system $(ARGS)

test-arm: $(BIN)/pytest
	@tests/tools.sh container emulator
	$(BIN)/python -m tests.arm $(ARGS)

.venv: $(BIN)/broadcaster

# Created when missing or older than pyproject.toml.
$(BIN)/broadcaster: pyproject.toml
	@$(PYTHON) broadcaster/supported.py
	$(PYTHON) -m venv $(SYSTEM_PACKAGES) .venv
	$(BIN)/pip install --quiet --editable '.[usb]'
	@touch $@

# What only tests and checks need. picamera2 runs over stand-ins there, so without its dependencies, and never over apt's.
$(BIN)/pytest: $(BIN)/broadcaster
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/python -c 'import importlib.util as u; raise SystemExit(not u.find_spec("picamera2"))' || \
	  $(BIN)/pip install --quiet --no-deps 'picamera2>=0.3.32'
	@touch $(BIN)/broadcaster $@

.PHONY: run test test-faults test-films test-system test-vm test-arm check fuzz soak bench install uninstall .venv
