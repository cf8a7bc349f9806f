"""`broadcaster install` and `broadcaster uninstall`: the systemd service, from a wheel or a checkout."""

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
_ADDED_BY_INSTALLER = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""Files that an installer adds to a wheel's metadata (PEP 376, PEP 610)."""


def install(source: str) -> int:
    """Install this version as the service, or update the service to it; return the script's exit code.

    `source` is `video.source` in a new settings file; empty: the script's default.
    """
    environment = {"SOURCE": source} if source else {}
    with tempfile.TemporaryDirectory(prefix="broadcaster-") as folder:
        if scripts_folder().parent == _PACKAGE:
            environment["WHEEL"] = str(rebuild_wheel(_own_distribution(), Path(folder)))
        return _run("install", environment)


def uninstall() -> int:
    """Remove the service; return the script's exit code."""
    return _run("uninstall", {})


def scripts_folder() -> Path:
    """Return the folder of the service's files: package data in a wheel, `systemd/` in a checkout."""
    packaged = _PACKAGE / "systemd"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "systemd"


def rebuild_wheel(installed: Distribution, folder: Path) -> Path:
    """Write the wheel of an installed distribution into `folder`, from its installed files (PEP 427)."""
    wheel = folder / f"pi_broadcaster-{installed.version}-py3-none-any.whl"
    record = [""]
    with ZipFile(wheel, "w", ZIP_DEFLATED) as archive:
        for file in filter(_is_in_wheel, installed.files or ()):
            path = Path(str(installed.locate_file(file)))
            digest = urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")
            archive.write(path, str(file))
            record.append(f"{file},sha256={digest},{path.stat().st_size}")
            if file.name == "METADATA":
                record[0] = f"{file.parent}/RECORD"
        archive.writestr(record[0], "\n".join([*record[1:], f"{record[0]},,", ""]))
    return wheel


def _is_in_wheel(file: PurePosixPath) -> bool:
    """Return whether the wheel contained `file`: not so for scripts, bytecode and files that an installer adds."""
    added = file.parent.suffix == ".dist-info" and file.name in _ADDED_BY_INSTALLER
    return not (added or file.parts[0] == ".." or file.is_absolute() or "__pycache__" in file.parts)


def _own_distribution() -> Distribution:
    try:
        own = distribution("pi-broadcaster")
    except PackageNotFoundError:
        own = None
    if own is None or Path(str(own.locate_file("broadcaster"))).resolve() != _PACKAGE.resolve():
        raise BroadcasterError(f"{_PACKAGE} was not installed by pip or pipx, so it cannot be installed as a service")
    return own


def _run(name: str, environment: dict[str, str]) -> int:
    """Run a script of the service; without root, it prints the command in `TYPED`, with the full path for sudo."""
    path = os.path.abspath(sys.argv[0])
    program = [sys.executable, "-m", "broadcaster"] if path.endswith("__main__.py") else [path]
    typed = {"TYPED": shlex.join(["sudo", *program, name])}
    command = ["bash", str(scripts_folder() / f"{name}.sh")]
    return subprocess.run(command, env=os.environ | typed | environment, check=False).returncode
