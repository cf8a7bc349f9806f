"""The versions of Python and of the libraries."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from broadcaster import __version__
from broadcaster.doctor.advice import INSTALL_AGAIN
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError

_REQUIRED = ("aiortc", "aioice", "pylibsrtp", "av", "aiohttp")
_OPTIONAL = ("picamera2", "gpiozero", "lgpio", "linuxpy")
_MIN_PYTHON, _FIRST_UNSUPPORTED_PYTHON = (3, 11), (3, 14)
_MIN_PICAMERA2 = (0, 3, 32)
"""The first version that can force a keyframe of the hardware encoder."""

_ABOUT = Subject("versions", "The broadcaster uses private parts of these libraries; other versions may not work.")


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions by package, empty for a package that is not installed.

    `unsupported` is the error of the self-check of the WebRTC libraries, empty if they are supported.
    """

    python: tuple[int, int, int]
    packages: Mapping[str, str]
    unsupported: str = ""


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    return [evaluate(read_versions())]


def read_versions() -> Versions:
    """Return the versions of the installed packages."""
    versions = Versions(sys.version_info[:3], {name: _installed_version(name) for name in (*_REQUIRED, *_OPTIONAL)})
    if not all(versions.packages[name] for name in _REQUIRED):
        return versions
    return replace(versions, unsupported=asyncio.run(_check_webrtc()))


async def _check_webrtc() -> str:
    """Return the error of the WebRTC self-check, empty if there is none; aiortc needs an event loop for it."""
    # Imported late, because it loads aiortc, which may be what is broken.
    from broadcaster.webrtc import internals  # noqa: PLC0415

    try:
        internals.check()
    except BroadcasterError as error:
        return str(error)
    return ""


def evaluate(versions: Versions) -> CheckResult:
    """Require all required packages, in supported versions."""
    installed = {name: release for name, release in versions.packages.items() if release}
    python = ".".join(map(str, versions.python))
    missing = [name for name in _REQUIRED if name not in installed]
    if missing:
        return _ABOUT.broken(f"Python packages are missing: {', '.join(missing)}", INSTALL_AGAIN)
    if versions.unsupported:
        return _ABOUT.broken(versions.unsupported, INSTALL_AGAIN)
    if not _MIN_PYTHON <= versions.python[:2] < _FIRST_UNSUPPORTED_PYTHON:
        found = f"Python {python} is not supported; 3.11 to 3.13 are"
        return _ABOUT.broken(found, "Use Debian 12 or 13, or the Raspberry Pi OS that is based on one of them.")
    if "picamera2" in installed and _parse_version(installed["picamera2"]) < _MIN_PICAMERA2:
        fix = "Update the system:\n  sudo apt update && sudo apt full-upgrade"
        return _ABOUT.warning(f"picamera2 {installed['picamera2']} is too old to force keyframes", fix)
    packages = (f"{name} {release}" for name, release in installed.items())
    return _ABOUT.ok(", ".join([f"broadcaster {__version__}", f"Python {python}", *packages]))


def _installed_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _parse_version(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())
