"""`broadcaster install` and `broadcaster uninstall`: the system's service, from a wheel or a checkout."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZipFile

from broadcaster.errors import BroadcasterError

_PACKAGE = Path(__file__).parents[1]
_OF_THE_INSTALLATION = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""Files that an installer adds to a wheel's metadata (PEP 376, 610)."""


def install(source: str) -> int:
    """Install this very version as the service, or update it; returns the script's exit code.

    `source` is what a new settings file has as `video.source`; empty: the script's default.
    """
    environment = {"SOURCE": source} if source else {}
    with tempfile.TemporaryDirectory(prefix="broadcaster-") as folder:
        if scripts_folder().parent == _PACKAGE:
            environment["WHEEL"] = str(rebuild_wheel(_own_distribution(), Path(folder)))
        return _run("install", environment)


def uninstall() -> int:
    """Remove the service; returns the script's exit code."""
    return _run("uninstall", {})


def scripts_folder() -> Path:
    """The folder with the service's files: package data in a wheel, `systemd/` beside the package in a checkout."""
    packaged = _PACKAGE / "systemd"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "systemd"


def rebuild_wheel(installed: Distribution, folder: Path) -> Path:
    """Write the wheel that a distribution was installed from, from its files, into `folder` (PEP 427)."""
    wheel = folder / f"pi_broadcaster-{installed.version}-py3-none-any.whl"
    record = [""]
    with ZipFile(wheel, "w", ZIP_DEFLATED) as archive:
        for file in filter(_is_in_a_wheel, installed.files or ()):
            path = Path(str(installed.locate_file(file)))
            digest = urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")
            archive.write(path, str(file))
            record.append(f"{file},sha256={digest},{path.stat().st_size}")
            if file.name == "METADATA":
                record[0] = f"{file.parent}/RECORD"
        archive.writestr(record[0], "\n".join([*record[1:], f"{record[0]},,", ""]))
    return wheel


def _is_in_a_wheel(file: PurePosixPath) -> bool:
    """Whether it came in the wheel: no command outside of the packages, no bytecode, nothing that an installer adds."""
    added = file.parent.suffix == ".dist-info" and file.name in _OF_THE_INSTALLATION
    return not (added or file.parts[0] == ".." or file.is_absolute() or "__pycache__" in file.parts)


def _own_distribution() -> Distribution:
    try:
        found = distribution("pi-broadcaster")
    except PackageNotFoundError:
        found = None
    if found is None or Path(str(found.locate_file("broadcaster"))).resolve() != _PACKAGE.resolve():
        raise BroadcasterError(f"{_PACKAGE} was not installed by pip or pipx, so it cannot be installed as a service")
    return found


def _run(name: str, environment: dict[str, str]) -> int:
    """Run a script; who is not root is told by it what to type, with the full path, which sudo needs."""
    path = os.path.abspath(sys.argv[0])
    program = [sys.executable, "-m", "broadcaster"] if path.endswith("__main__.py") else [path]
    typed = {"TYPED": shlex.join(["sudo", *program, name])}
    command = ["bash", str(scripts_folder() / f"{name}.sh")]
    return subprocess.run(command, env=os.environ | typed | environment, check=False).returncode
