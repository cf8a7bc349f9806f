"""How this machine reaches the archives of apt and pip, passed on to a tree: its configuration, whatever that is."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

_RESOLVING = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
"""How names are resolved, and whom to trust."""

_APT = re.compile(r"Acquire::(http|https|Check-|Retries|ForceIPv)[^ ]* .+;")
"""Proxies and the like; the rest of apt's configuration is about this machine's own packages."""

_PIP = re.compile(r"(:env:|global|install)\.([a-z-]+)=(.+)")


def apt_settings() -> list[str]:
    """Lines for apt.conf."""
    return [line for line in _output("apt-config", "dump").splitlines() if _APT.fullmatch(line)]


def apt_sources(suite: str) -> list[str]:
    """This machine's Debian mirrors as lines for sources.list; empty on other systems: then the usual ones serve."""
    own = _codename()
    found = _output(
        "apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(CODENAME) $(COMPONENT) $(CREATED_BY)"
    )
    rows = [line.split() for line in found.splitlines()]
    targets = {tuple(row[1:4]) for row in rows if len(row) == 5 and row[0] == "Debian" and row[4] == "Packages"}
    return [
        f"deb {address} {name.replace(own, suite)} {component}"
        for address, name, component in sorted(targets)
        if own and name.startswith(own) and not name.endswith("-backports")
    ]


def pip_settings() -> dict[str, str]:
    """Options of pip's configuration files; variables of the environment reach the tree by themselves."""
    return {name: value for kind, name, value in _pip_options() if kind != ":env:"}


def folders_of_packages() -> list[Path]:
    """Folders of this machine that pip's configuration names; a tree needs them at the same place.

    An index may link to files beside it, so its parent folder is needed, too.
    """
    paths = set()
    for _, name, value in _pip_options():
        for word in value.split():
            path = Path(word.removeprefix("file://"))
            if path.is_absolute() and path.is_dir():
                paths.add(path.parent if name.endswith("index-url") and path.parents[1:] else path)
    return sorted(paths)


def pass_on(root: Path) -> None:
    """Write and copy into the tree at `root` what it needs to reach what this machine reaches."""
    options = pip_settings()
    files = [value for value in options.values() if Path(value).is_absolute() and Path(value).is_file()]
    for name in (*_RESOLVING, *files):
        if Path(name).is_file():
            target = root / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, target)
    lines = ["[global]", *(f"{name} = {value}" for name, value in options.items())]
    (root / "etc/pip.conf").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    (root / "etc/apt/apt.conf.d/99test").write_text("".join(f"{line}\n" for line in apt_settings()), "utf-8")


def _pip_options() -> list[tuple[str, str, str]]:
    found = map(_PIP.fullmatch, _output(sys.executable, "-m", "pip", "config", "list").splitlines())
    return [(match[1], match[2], _one_line(ast.literal_eval(match[3]))) for match in found if match]


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _codename() -> str:
    for line in Path("/etc/os-release").read_text("utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return ""


def _output(*command: str) -> str:
    """What a command writes; empty where it fails or is not installed."""
    if shutil.which(command[0]) is None:
        return ""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    return done.stdout
