"""The effective settings: of the command line, the owner's page, and the file."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path

from broadcaster.doctor.machine import Machine
from broadcaster.doctor.unit import read_service
from broadcaster.errors import SettingsError
from broadcaster.settings import LayeredSettings
from broadcaster.storage.settings_source import SettingsSource


def settings_source(parsed: argparse.Namespace, folder: str = "") -> SettingsSource:
    """Return the source of the daemon's settings; `folder` is the state folder, if it is not this process's."""
    return SettingsSource(partial(read_file, parsed.settings or ""), parsed.set, folder, parsed.settings or "")


def effective_settings(parsed: argparse.Namespace) -> LayeredSettings:
    """Return the settings with which a daemon would start, the service if the file is its. Raises `SettingsError`."""
    folder = ""
    if parsed.settings:
        unit = read_service(Machine())
        folder = unit.state_folder if os.path.abspath(parsed.settings) == unit.settings_file else ""
    return settings_source(parsed, folder).read()


def read_file(file: str) -> str:
    """Return the text of a settings file; "" is none. Raises `SettingsError`."""
    try:
        # "utf-8-sig" also accepts the byte order mark that Windows editors write.
        return Path(file).read_text("utf-8-sig") if file else ""
    except OSError as error:
        hint = "; try it with sudo" if isinstance(error, PermissionError) else ""
        raise SettingsError([f"the file cannot be read: {error.strerror}{hint}"]) from None
    except UnicodeDecodeError as error:
        problem = f"the file is not UTF-8: {error.reason} at byte {error.start}; save it with the encoding UTF-8"
        raise SettingsError([problem]) from None
