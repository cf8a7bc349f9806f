"""Debian systems in folders: built by mmdebstrap, cached as archives, and unpacked for each use."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.house.project import ROOT
from tests.system.registries import apt_settings, apt_sources, copy_configuration

CHECKOUT = "/root/broadcaster"
RELEASES = {"bookworm": "3.11", "trixie": "3.13"}
"""The Debian releases that Raspberry Pi OS is based on, and their Python versions."""

PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "make", "python3", "ca-certificates")
"""Packages of a system before `sudo make install`; the installer must install the rest."""

BUILD_LIMIT = 300.0
EMULATION = 10
"""Factor for time limits when another architecture is emulated."""

_MAX_AGE = 7 * 24 * 3600.0
"""Seconds after which an archive is rebuilt, because Debian has newer packages."""


def make_tree(root: Path, release: str, architecture: str = "", extra: Sequence[str] = ()) -> None:
    """Create a system with the checkout at `root`. Raises `AssertionError` with the output of a failed command."""
    root.mkdir(parents=True)
    archive = _archive(release, architecture, (*PACKAGES, *extra))
    run(["tar", "--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--file", str(archive)], 300, root)
    copy_configuration(root)
    copy_checkout(root)
    # The network namespace is empty: waiting for a network would never end.
    (root / "etc/systemd/system/systemd-networkd-wait-online.service").symlink_to("/dev/null")


def copy_checkout(root: Path) -> None:
    """Copy the project's files, committed or not, except those that git ignores."""
    listed = run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], 30)
    target = root / CHECKOUT.lstrip("/")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def _archive(release: str, architecture: str, packages: Sequence[str]) -> Path:
    """Return the archive of such a system from the cache, or build it."""
    sources = apt_sources(release)
    digest = hashlib.sha256("\n".join([*packages, *sources]).encode()).hexdigest()[:8]
    name = "-".join(filter(None, (release, architecture, digest)))
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "broadcaster-trees"
    folder.mkdir(parents=True, exist_ok=True)
    archive, unfinished = folder / f"{name}.tar", folder / f"{name}.{os.getpid()}.tar"
    for old in folder.glob("*.tar"):
        if time.time() - old.stat().st_mtime > _MAX_AGE:
            old.unlink()
    if archive.exists():
        return archive
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}"]
    command += [f"--aptopt={line}" for line in apt_settings()]
    command += [f"--arch={architecture}"] if architecture else []
    try:
        run([*command, release, str(unfinished), *sources], BUILD_LIMIT * (EMULATION if architecture else 1))
        unfinished.rename(archive)
    finally:
        unfinished.unlink(missing_ok=True)
    return archive


def run(command: Sequence[str], limit: float, folder: Path | None = None) -> str:
    """Run a command that must succeed within `limit` seconds. Raises `AssertionError` with its output otherwise."""
    environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=limit,
            env=os.environ | environment,
            cwd=folder,
        )
    except subprocess.TimeoutExpired as error:  # its output is bytes, or None if there is none
        output = "\n".join((part or b"").decode("utf-8", "replace") for part in (error.stdout, error.stderr))
        raise AssertionError(f"{output}\n{' '.join(command)}: not finished after {limit:.0f} s") from error
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
