"""A clean Debian with systemd as PID 1, in a folder and in namespaces of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.system.registries import folders_of_packages
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
    """The system in `folder`, started by `boot`, ended by `close`; `emulated` when it is of another architecture."""

    def __init__(self, folder: Path, *, emulated: bool = False) -> None:
        self.root = folder
        self._slowness = EMULATION if emulated else 1
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0

    def boot(self) -> None:
        """Start it, and wait until systemd has come up."""
        script = str(Path(__file__).with_name("boot.sh"))
        binds = [f"--bind-ro={folder}" for folder in folders_of_packages()]
        command = ["unshare", "--mount", "--propagation", "private", script, str(self.root), *binds]
        # A file, not a pipe: nobody reads while it runs.
        with (self.root.parent / "console").open("wb") as console:
            self._nspawn = subprocess.Popen(command, stdout=console, stderr=console, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + BOOT_LIMIT * self._slowness
        while self.try_run("systemctl", "is-system-running", "--wait").strip() not in ("running", "degraded"):
            assert time.monotonic() < deadline, f"it does not boot:\n{self.console}"
            assert self._nspawn.poll() is None, f"it does not boot:\n{self.console}"
            time.sleep(0.1)

    @property
    def console(self) -> str:
        """What nspawn and systemd wrote."""
        return (self.root.parent / "console").read_text("utf-8", "replace")

    def run(self, *command: str, limit: float = 60, outside: bool = False) -> str:
        """Run a command in it and return what it writes; `outside`: with this machine's network."""
        return run([*self._enter(outside), *command], limit * self._slowness)

    def try_run(self, *command: str) -> str:
        """Run a command in it and return what it writes, failed or not, also while it is not up yet."""
        self._init = self._init or self._find_init()
        if not self._init:
            return ""
        done = subprocess.run(
            [*self._enter(False), *command], capture_output=True, text=True, timeout=60 * self._slowness
        )
        return done.stdout

    def make(self, *arguments: str, language: Mapping[str, str] | None = None) -> str:
        """`make` in the checkout, as root, with this machine's network for apt and pip.

        `language` are the variables of a user's locale, such as LANG; C.UTF-8 without.
        """
        variables = [] if language is None else ["env", "--unset=LC_ALL", *map("=".join, language.items())]
        return self.run(*variables, "make", "--directory", CHECKOUT, *arguments, limit=600, outside=True)

    def show(self, name: str) -> str:
        """A property of the service."""
        return self.run("systemctl", "show", "--property", name, "--value", "broadcaster.service").strip()

    def fetch(self, path: str, body: str = "") -> str:
        """What the page's port answers inside; raises `subprocess.CalledProcessError` when it does not."""
        return self.run("/usr/bin/python3", "-c", FETCH, f"http://127.0.0.1:8080{path}", body)

    def status(self) -> dict[str, Any]:
        """`GET /api/status`."""
        return json.loads(self.fetch("/api/status"))

    def close(self) -> None:
        """Power it off, or failing that, kill it."""
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
        """The container's PID 1 as this machine counts: the child of nspawn, which took the place of unshare."""
        assert self._nspawn is not None
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text("ascii").split()
        names = {int(child): Path(f"/proc/{child}/comm").read_text("ascii").strip() for child in children}
        return next((child for child, name in names.items() if name == "systemd"), 0)


def remove_control_group(pid: int) -> None:
    """Remove the control groups that boot.sh made as this process; they are empty when it is gone."""
    group = f"/sys/fs/cgroup/broadcaster-test-{pid}"
    script = f"mount -t cgroup2 none /sys/fs/cgroup && exec find {group} -depth -type d -exec rmdir {{}} +"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    subprocess.run(command, capture_output=True, check=False, timeout=20)
