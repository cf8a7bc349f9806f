"""Copies the host's configuration of apt and pip into a system tree, so that it reaches the same archives."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

_NETWORK_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")
"""Name resolution and trusted certificates."""

_APT = re.compile(r"Acquire::(http|https|Check-|Retries|ForceIPv)[^ ]* .+;")
"""Settings such as proxies; the rest of apt's configuration concerns the host's own packages."""

_PIP = re.compile(r"(:env:|global|install)\.([a-z-]+)=(.+)")


def apt_settings() -> list[str]:
    """Return lines for apt.conf."""
    return [line for line in _output("apt-config", "dump").splitlines() if _APT.fullmatch(line)]


def apt_sources(suite: str) -> list[str]:
    """Return the host's Debian mirrors as lines for sources.list; empty if the host is no Debian (default mirrors)."""
    own = _codename()
    output = _output(
        "apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(CODENAME) $(COMPONENT) $(CREATED_BY)"
    )
    rows = [line.split() for line in output.splitlines()]
    targets = {tuple(row[1:4]) for row in rows if len(row) == 5 and row[0] == "Debian" and row[4] == "Packages"}
    return [
        f"deb {address} {name.replace(own, suite)} {component}"
        for address, name, component in sorted(targets)
        if own and name.startswith(own) and not name.endswith("-backports")
    ]


def pip_settings() -> dict[str, str]:
    """Return the options of pip's configuration files; environment variables are inherited anyway."""
    return {name: value for kind, name, value in _pip_options() if kind != ":env:"}


def package_folders() -> list[Path]:
    """Return the host's folders in pip's configuration; a tree needs them at the same path.

    An index may link to files beside it, so its parent folder is included.
    """
    paths = set()
    for _, name, value in _pip_options():
        for word in value.split():
            path = Path(word.removeprefix("file://"))
            if path.is_absolute() and path.is_dir():
                paths.add(path.parent if name.endswith("index-url") and path.parents[1:] else path)
    return sorted(paths)


def copy_configuration(root: Path) -> None:
    """Write the host's network, apt and pip configuration into the tree at `root`."""
    options = pip_settings()
    files = [value for value in options.values() if Path(value).is_absolute() and Path(value).is_file()]
    for name in (*_NETWORK_FILES, *files):
        if Path(name).is_file():
            target = root / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, target)
    lines = ["[global]", *(f"{name} = {value}" for name, value in options.items())]
    (root / "etc/pip.conf").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    (root / "etc/apt/apt.conf.d/99test").write_text("".join(f"{line}\n" for line in apt_settings()), "utf-8")


def _pip_options() -> list[tuple[str, str, str]]:
    matches = map(_PIP.fullmatch, _output(sys.executable, "-m", "pip", "config", "list").splitlines())
    return [(match[1], match[2], _one_line(ast.literal_eval(match[3]))) for match in matches if match]


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _codename() -> str:
    for line in Path("/etc/os-release").read_text("utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return ""


def _output(*command: str) -> str:
    """Return a command's output; empty if it fails or is not installed."""
    if shutil.which(command[0]) is None:
        return ""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    return done.stdout
