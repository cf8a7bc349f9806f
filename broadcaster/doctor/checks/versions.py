"""Python, the libraries, and whether they are ones that this program knows."""

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

_NEEDED = ("aiortc", "aioice", "pylibsrtp", "av", "aiohttp")
_OF_THE_BOARD = ("picamera2", "gpiozero", "lgpio", "linuxpy")
_OLDEST_PYTHON, _FIRST_TOO_NEW = (3, 11), (3, 14)
_OLDEST_PICAMERA2 = (0, 3, 32)
"""The first that can force a keyframe of the hardware encoder."""

_ABOUT = Subject("versions", "Private parts of these libraries are used: other releases may work differently.")


@dataclass(frozen=True, slots=True)
class Versions:
    """Releases by name, empty for what is not there, and what the WebRTC part says of its libraries."""

    python: tuple[int, int, int]
    packages: Mapping[str, str]
    refused: str = ""


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    return [evaluate(read_versions())]


def read_versions() -> Versions:
    """Ask the installed packages."""
    found = Versions(sys.version_info[:3], {name: _release(name) for name in (*_NEEDED, *_OF_THE_BOARD)})
    if not all(found.packages[name] for name in _NEEDED):
        return found
    return replace(found, refused=asyncio.run(_refusal()))


async def _refusal() -> str:
    """What the WebRTC part says of its libraries, empty if they will do; aiortc wants an event loop for that."""
    # Here and not above: it loads aiortc, which may be what is broken.
    from broadcaster.webrtc import internals  # noqa: PLC0415

    try:
        internals.check()
    except BroadcasterError as error:
        return str(error)
    return ""


def evaluate(found: Versions) -> CheckResult:
    """What must be there, and what is too old."""
    there = {name: release for name, release in found.packages.items() if release}
    python = ".".join(map(str, found.python))
    shown = ", ".join([f"broadcaster {__version__}, Python {python}", *(f"{name} {there[name]}" for name in there)])
    missing = [name for name in _NEEDED if name not in there]
    if missing:
        return _ABOUT.broken(f"missing: {', '.join(missing)}", INSTALL_AGAIN)
    if found.refused:
        return _ABOUT.broken(found.refused, INSTALL_AGAIN)
    if not _OLDEST_PYTHON <= found.python[:2] < _FIRST_TOO_NEW:
        return _ABOUT.broken(f"Python {python}: 3.11 to 3.13 is needed", "Install on Debian 12 or 13, or its Pi OS.")
    if "picamera2" in there and _numbers(there["picamera2"]) < _OLDEST_PICAMERA2:
        fix = "Update the system:\n  sudo apt update && sudo apt full-upgrade"
        return _ABOUT.warning(f"picamera2 {there['picamera2']} is too old to force keyframes", fix)
    return _ABOUT.ok(shown)


def _release(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split(".") if part.isdigit())
