"""A clean Debian with systemd as PID 1, in a folder and in namespaces of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.house.project import ROOT

CHECKOUT = "/root/broadcaster"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "make", "python3", "ca-certificates")
"""What a system has on which somebody types `sudo make install`; the rest is the installer's business."""

BUILD_LIMIT = 300.0
BOOT_LIMIT = 60.0
_SUITE = "bookworm"
FETCH = """
import sys, urllib.request
address, body = sys.argv[1:]
request = urllib.request.Request(address, body.encode() or None, {"Content-Type": "application/json"})
with urllib.request.urlopen(request, timeout=3) as answer:
    sys.stdout.write(answer.read().decode())
"""


class Container:
    """Built into `folder` by `build`, started by `boot`, ended by `close`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.log = ""
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0

    def build(self) -> None:
        """Make the system, and put the checkout into it."""
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}", _SUITE]
        _run([*command, str(self.root)], BUILD_LIMIT)
        for path in _this_machines_ways_out():
            target = self.root / path.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        self.put_checkout()
        # Without it there is nothing that could be waited for: the network is empty.
        (self.root / "etc/systemd/system/systemd-networkd-wait-online.service").symlink_to("/dev/null")

    def put_checkout(self) -> None:
        """Copy the project's files, committed or not, and nothing that git ignores."""
        listed = _run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], 30)
        target = self.root / CHECKOUT.lstrip("/")
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).exists():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target / name)

    def boot(self) -> None:
        """Start it, and wait until systemd has come up."""
        script = str(Path(__file__).with_name("boot.sh"))
        command = ["unshare", "--mount", "--propagation", "private", script, str(self.root)]
        # A file, not a pipe: nobody reads while it runs.
        with (self.root.parent / "console").open("wb") as console:
            self._nspawn = subprocess.Popen(command, stdout=console, stderr=console, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + BOOT_LIMIT
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
        return _run([*self._enter(outside), *command], limit)

    def try_run(self, *command: str) -> str:
        """Run a command in it and return what it writes, failed or not, also while it is not up yet."""
        self._init = self._init or self._find_init()
        if not self._init:
            return ""
        done = subprocess.run([*self._enter(False), *command], capture_output=True, text=True, timeout=60)
        return done.stdout

    def make(self, *arguments: str) -> str:
        """`make` in the checkout, as root, with this machine's network for apt and pip."""
        return self.run("make", "--directory", CHECKOUT, *arguments, limit=600, outside=True)

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
            self._nspawn.wait(20)
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


def _this_machines_ways_out() -> list[Path]:
    """How names are resolved, whom to trust and where pip looks, as set up on this machine."""
    pip = ["/etc/pip.conf", "/root/.config/pip/pip.conf", "/root/.pip/pip.conf"]
    paths = ["/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt", *pip]
    return [Path(path) for path in paths if Path(path).is_file()]


def _run(command: list[str], limit: float) -> str:
    environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root"}
    done = subprocess.run(
        command,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=limit,
        env=os.environ | environment,
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
