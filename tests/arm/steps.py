"""The steps of the test on aarch64; each returns its result as text, or raises `AssertionError`."""

from __future__ import annotations

import inspect
import json
import re
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests.arm.tree import ENVIRONMENT, Tree
from tests.edges import test_webrtc_peer
from tests.house.project import ROOT, read
from tests.system.container import Container
from tests.system.trees import RELEASES
from tests.unit import test_cli_streams

PYTHON = f"{ENVIRONMENT}/bin/python"
TEST_PACKAGES = ("hypothesis", "pytest", "pytest-asyncio")
"""The development dependencies that the unit tests need."""

_DESELECTED = test_cli_streams.test_closed_descriptor_is_replaced_by_dev_null
_REASON = "Linux opens each emulated program at the lowest free descriptor"
"""Why this unit test fails under emulation."""

_EMULATOR_ERRORS = {
    "Failed to spawn executor: Invalid argument": "qemu before 8.0 refuses clone(2) with CLONE_PIDFD",
    "journald.service: Failed to set up credentials: Invalid argument": "qemu refuses clone(2) with CLONE_NEWNS",
}
"""Errors of systemd 254 and later for its services, and the reasons: the first with qemu 7.2, the second with 10.0."""

_VERSIONS = """
import json, platform
from importlib.metadata import distributions
tags = {found.name: found.read_text("WHEEL") or "" for found in distributions()}
native = sorted(name for name, tag in tags.items() if "aarch64" in tag)
print(json.dumps([platform.machine(), platform.python_version(), len(tags), native]))
"""
_PRIVATE_NAMES = """
from importlib.metadata import version
from broadcaster.webrtc import internals
internals.check()
print(", ".join(f"{name} {version(name)}" for name in ("aiortc", "aioice", "pylibsrtp")))
"""


def system(tree: Tree) -> str:
    """Create the tree; return its release, architecture and Python version."""
    tree.make()
    release = tree.run("cat", "/etc/debian_version").strip()
    machine, python = tree.run("python3", "-c", "import platform as p; print(p.machine(), p.python_version())").split()
    assert machine == "aarch64"
    assert python.startswith(RELEASES[tree.release] + ".")
    return f"Debian {release}, {machine}, Python {python}"


def pip_install(tree: Tree) -> str:
    """Install the project and its dependencies from wheels only: a Raspberry Pi should not have to compile anything."""
    tree.run("python3", "-m", "venv", ENVIRONMENT)
    development = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]["dev"]
    tests = [line for line in development if re.split(r"[<>=]", line)[0] in TEST_PACKAGES]
    tree.run(PYTHON, "-m", "pip", "install", "--quiet", "--only-binary=:all:", ".[usb]", *tests, limit=360)
    _, _, number, native = json.loads(tree.run(PYTHON, "-c", _VERSIONS))
    assert {"av", "pylibsrtp", "cryptography", "aiohttp", "msgspec"} <= set(native), native
    return f"{number} wheels, {len(native)} of them for aarch64"


def unit_tests(tree: Tree) -> str:
    """Run tests/unit, except a test that fails because of the emulator."""
    result = _pytest(tree, "tests/unit", f"--deselect={_node(_DESELECTED)}", limit=360)
    return f"{result}; not {_DESELECTED.__name__}: {_REASON}"


def private_names(tree: Tree) -> str:
    """Check that all private names of the WebRTC library that we use exist."""
    return tree.run(PYTHON, "-c", _PRIVATE_NAMES).strip()


def srtp_and_offload(tree: Tree) -> str:
    """Test bursts encrypted by libsrtp and segmented by the kernel, then aiortc's peers over loopback."""
    peers = test_webrtc_peer.test_viewer_decrypts_and_decodes_all_packets
    return _pytest(tree, "tests/edges/test_webrtc_offload.py", _node(peers), limit=60)


def make_install(tree: Tree) -> str:
    """Run `make install` in a container with systemd as PID 1, if systemd can start services under the emulator."""
    container = Container(tree.root, emulated=True)
    try:
        container.boot()
        systemd = container.run("systemctl", "--version").split()[1]
        for error, reason in _EMULATOR_ERRORS.items():
            if error in container.console:
                return f"NOT POSSIBLE: systemd {systemd} cannot start services, because {reason}"
        container.make("install", "SOURCE=test")
        assert container.show("ActiveState") == "active"
        container.run("broadcaster", "live", "on")
        return f"service is active under systemd {systemd}: {container.show('StatusText')}"
    finally:
        container.close()


def _pytest(tree: Tree, *arguments: str, limit: float) -> str:
    began = time.monotonic()
    output = tree.run(PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, limit=limit)
    summary = output.strip().splitlines()[-1]
    assert re.search(r"\d+ passed", summary), summary
    return f"{re.sub(r' in .*', '', summary)} in {time.monotonic() - began:.0f} s"


def _node(test: Callable[..., object]) -> str:
    """Return pytest's name of a test function."""
    file = Path(inspect.getfile(test)).relative_to(ROOT)
    return f"{file}::{test.__name__}"


Step = Callable[[Tree], str]
