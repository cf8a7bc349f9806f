"""Import of picamera2 and libcamera, which belong to the operating system; they are loaded only when needed."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from broadcaster.errors import SourceError, StreamReason

_INSTALL = "sudo apt install --no-install-recommends python3-picamera2"
_LOG_LEVELS = "*:WARN"
"""libcamera's log level (LIBCAMERA_LOG_LEVELS); at INFO it logs all cameras at each opening."""


def load(name: str) -> ModuleType:
    """Import the module `name` of picamera2 or libcamera. Raises any exception; see `load_error`."""
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", _LOG_LEVELS)
    return importlib.import_module(name)


def load_error(error: BaseException) -> SourceError:
    """Convert what importing a library raised: anything, because an unfinished upgrade mixes incompatible versions."""
    if isinstance(error, ModuleNotFoundError) and error.name in ("libcamera", "picamera2"):
        return SourceError(
            StreamReason.NO_CAMERA,
            f"{error.name} is not installed here: {_INSTALL}; then recreate the virtual environment so that it sees it",
        )
    return SourceError(
        StreamReason.NO_CAMERA,
        f"the camera's library does not load ({type(error).__name__}: {error}): finish the system's upgrade "
        "(sudo apt full-upgrade), then sudo apt install --reinstall python3-picamera2 python3-libcamera",
    )
