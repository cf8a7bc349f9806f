"""Debian systems in folders: built by mmdebstrap, kept as archives, unpacked afresh for each use."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.house.project import ROOT
from tests.system.registries import apt_settings, apt_sources, pass_on

CHECKOUT = "/root/broadcaster"
RELEASES = {"bookworm": "3.11", "trixie": "3.13"}
"""The releases of Debian that Raspberry Pi OS is made of, and the Python of each."""

PACKAGES = ("systemd", "systemd-sysv", "dbus", "udev", "make", "python3", "ca-certificates")
"""What a system has on which somebody types `sudo make install`; the rest is the installer's business."""

BUILD_LIMIT = 300.0
EMULATION = 10
"""How many times longer everything may take where another architecture is emulated."""

_MAX_AGE = 7 * 24 * 3600.0
"""Seconds after which an archive is built again: Debian has newer packages by then."""


def make_tree(root: Path, release: str, architecture: str = "", extra: Sequence[str] = ()) -> None:
    """Put a new system with the checkout in it at `root`. Raises `AssertionError` with what mmdebstrap wrote."""
    root.mkdir(parents=True)
    archive = _archive(release, architecture, (*PACKAGES, *extra))
    run(["tar", "--extract", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--file", str(archive)], 300, root)
    pass_on(root)
    put_checkout(root)
    # Without it there is nothing that could be waited for: the network is empty.
    (root / "etc/systemd/system/systemd-networkd-wait-online.service").symlink_to("/dev/null")


def put_checkout(root: Path) -> None:
    """Copy the project's files, committed or not, and nothing that git ignores."""
    listed = run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], 30)
    target = root / CHECKOUT.lstrip("/")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def _archive(release: str, architecture: str, packages: Sequence[str]) -> Path:
    """The archive of such a system, from the cache or new."""
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
    """Run a command in at most `limit` seconds. Raises `AssertionError` with what it wrote when it fails."""
    environment = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/root"}
    done = subprocess.run(
        command,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=limit,
        env=os.environ | environment,
        cwd=folder,
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
