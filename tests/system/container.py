"""A Debian system in a folder, running with systemd as PID 1 in namespaces of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.system.registries import package_folders
from tests.system.trees import CHECKOUT, EMULATION, run

BOOT_LIMIT = 60.0
FETCH = """
import sys, urllib.request
address, body = sys.argv[1:]
request = urllib.request.Request(address, body.encode() or None, {"Content-Type": "application/json"})
with urllib.request.urlopen(request, timeout=3) as answer:
    sys.stdout.write(answer.read().decode())
"""


class Container:
    """The system in `folder`, started by `boot` and stopped by `close`; `emulated` if it has another architecture."""

    def __init__(self, folder: Path, *, emulated: bool = False) -> None:
        self.root = folder
        self._slowness = EMULATION if emulated else 1
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0

    def boot(self) -> None:
        """Start the system, and wait until systemd is up."""
        script = str(Path(__file__).with_name("boot.sh"))
        binds = [f"--bind-ro={folder}" for folder in package_folders()]
        command = ["unshare", "--mount", "--propagation", "private", script, str(self.root), *binds]
        # A file instead of a pipe, because nothing reads the output while the system runs.
        with (self.root.parent / "console").open("wb") as console:
            self._nspawn = subprocess.Popen(command, stdout=console, stderr=console, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + BOOT_LIMIT * self._slowness
        while self.try_run("systemctl", "is-system-running", "--wait").strip() not in ("running", "degraded"):
            assert time.monotonic() < deadline, f"the system does not boot:\n{self.console}"
            assert self._nspawn.poll() is None, f"the system does not boot:\n{self.console}"
            time.sleep(0.1)

    @property
    def console(self) -> str:
        """The output of nspawn and systemd."""
        return (self.root.parent / "console").read_text("utf-8", "replace")

    def run(self, *command: str, limit: float = 60, outside: bool = False) -> str:
        """Run a command in the system and return its output; `outside` uses the host's network."""
        return run([*self._enter(outside), *command], limit * self._slowness)

    def try_run(self, *command: str) -> str:
        """Run a command and return its output even if it fails; return "" while the system is not up yet."""
        self._init = self._init or self._find_init()
        if not self._init:
            return ""
        done = subprocess.run(
            [*self._enter(False), *command], capture_output=True, text=True, timeout=60 * self._slowness
        )
        return done.stdout

    def make(self, *arguments: str, language: Mapping[str, str] | None = None) -> str:
        """Run `make` in the checkout as root, with the host's network for apt and pip.

        `language` holds locale variables such as LANG; C.UTF-8 if None.
        """
        variables = [] if language is None else ["env", "--unset=LC_ALL", *map("=".join, language.items())]
        return self.run(*variables, "make", "--directory", CHECKOUT, *arguments, limit=600, outside=True)

    def show(self, name: str) -> str:
        """Return a property of the service."""
        return self.run("systemctl", "show", "--property", name, "--value", "broadcaster.service").strip()

    def fetch(self, path: str, body: str = "") -> str:
        """Return the HTTP response of the daemon. Raises `AssertionError` if there is none."""
        return self.run("/usr/bin/python3", "-c", FETCH, f"http://127.0.0.1:8080{path}", body)

    def status(self) -> dict[str, Any]:
        """Return the response to `GET /api/status`."""
        return json.loads(self.fetch("/api/status"))

    def close(self) -> None:
        """Power the system off; kill it if that takes too long."""
        if self._nspawn is None:
            return
        self.try_run("systemctl", "poweroff", "--no-block")
        try:
            self._nspawn.wait(20 * self._slowness)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            if self._init:
                os.kill(self._init, signal.SIGKILL)
            self._nspawn.wait(20)
        remove_control_group(self._nspawn.pid)

    def _enter(self, outside: bool) -> list[str]:
        namespaces = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", *([] if outside else ["--net"])]
        return ["nsenter", "--target", str(self._init), *namespaces, "--"]

    def _find_init(self) -> int:
        """Return the host's PID of the container's PID 1, a child of nspawn, which has replaced unshare."""
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text("ascii").split()
        names = {int(child): Path(f"/proc/{child}/comm").read_text("ascii").strip() for child in children}
        return next((child for child, name in names.items() if name == "systemd"), 0)


def remove_control_group(pid: int) -> None:
    """Remove the control groups that boot.sh created with this PID; they are empty after its exit."""
    group = f"/sys/fs/cgroup/broadcaster-test-{pid}"
    script = f"mount -t cgroup2 none /sys/fs/cgroup && exec find {group} -depth -type d -exec rmdir {{}} +"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    subprocess.run(command, capture_output=True, check=False, timeout=20)
