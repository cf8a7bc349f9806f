"""Loading picamera2 and libcamera, which belong to the operating system and are loaded when a camera is wanted."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from broadcaster.errors import SourceError, StreamReason

_INSTALL = "sudo apt install --no-install-recommends python3-picamera2"
_LOUDNESS = "*:WARN"
"""What libcamera writes to the log by itself (LIBCAMERA_LOG_LEVELS): not how it found each camera at each opening."""


def load(name: str) -> ModuleType:
    """Import the module `name` of picamera2 or libcamera; whatever it raises is for `explained`."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", _LOUDNESS)
    return importlib.import_module(name)


def explained(error: BaseException) -> SourceError:
    """Say why a library could not be loaded, and what to do.

    It may raise anything: a half-done upgrade mixes versions that do not fit each other.
    """
    if isinstance(error, ModuleNotFoundError) and error.name in ("libcamera", "picamera2"):
        return SourceError(
            StreamReason.NO_CAMERA,
            f"{error.name} is not installed here: {_INSTALL}; then make the virtual environment anew, to see it",
        )
    return SourceError(
        StreamReason.NO_CAMERA,
        f"the camera's library does not load ({type(error).__name__}: {error}): finish the system's upgrade "
        "(sudo apt full-upgrade), then sudo apt install --reinstall python3-picamera2 python3-libcamera",
    )
