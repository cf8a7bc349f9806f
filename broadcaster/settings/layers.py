"""Layers of settings: the command line above the owner's page, above the file, above the defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from broadcaster.errors import SettingsError
from broadcaster.settings.model import Settings
from broadcaster.settings.reading import Reader
from broadcaster.settings.toml import to_toml


class Origin(StrEnum):
    """Where the value of a setting comes from."""

    COMMAND_LINE = "command line"
    PAGE = "page"
    FILE = "file"
    DEFAULT = "default"


CHANGEABLE = {
    "station.title": True,
    "station.line": True,
    "station.message": True,
    "station.next": True,
    "stream.start": False,
    "web.max_viewers": True,
    "video.width": False,
    "video.height": False,
    "video.fps": False,
    "video.bitrate": True,
    "video.bitrate_min": True,
    "video.second": False,
    "video.second_bitrate": False,
    "video.keyframe_interval": False,
    "video.rotation": False,
    "video.flip": False,
    "audio.gain": False,
    "record.mode": False,
    "record.segment": False,
    "record.keep_days": True,
    "record.keep_bytes": True,
    "record.keep_free": True,
    "record.before": False,
    "record.clip": False,
    "record.timelapse": False,
    "log.level": True,
}
"""The settings that the owner's page may change, and whether a change is applied at once, or after the next start.

None of them decides who may watch, nor what the daemon may reach. All are single values.
"""


@dataclass(frozen=True, slots=True)
class LayeredSettings:
    """Settings, and where their values come from; `page` has the values of the owner's page as in TOML.

    `page_problems` says why the layer of the owner's page is left out.
    """

    settings: Settings
    origins: Mapping[str, Origin] = field(default_factory=dict)
    page: Mapping[str, object] = field(default_factory=dict)
    page_problems: tuple[str, ...] = ()

    def origin(self, path: str) -> Origin:
        """Return where the value of a setting comes from."""
        return self.origins.get(path, Origin.DEFAULT)


def read_layers(toml: str, page: str, assignments: Iterable[str]) -> LayeredSettings:
    """Read all layers; that of the owner's page is left out if it is invalid, or if the others contradict it.

    Raises `SettingsError` with all problems of the other layers.
    """
    assignments = list(assignments)
    try:
        return read_all_layers(toml, page, assignments)
    except SettingsError as error:
        return replace(read_all_layers(toml, "", assignments), page_problems=tuple(error.problems))


def read_all_layers(toml: str, page: str, assignments: Iterable[str]) -> LayeredSettings:
    """Read all layers. Raises `SettingsError` with all problems."""
    reader = Reader()
    file, chosen, command_line = reader.file(toml), reader.file(page), reader.assignments(assignments)
    reader.problems += [f"{path}: cannot be changed by the owner's page" for path in chosen if path not in CHANGEABLE]
    reader.check({path: value for path, value in chosen.items() if path in command_line})
    settings = reader.settings(file | chosen | command_line)
    if reader.problems:
        raise SettingsError(reader.problems)
    origins = (
        dict.fromkeys(file, Origin.FILE)
        | dict.fromkeys(chosen, Origin.PAGE)
        | dict.fromkeys(command_line, Origin.COMMAND_LINE)
    )
    return LayeredSettings(settings, origins, chosen)


def page_toml(values: Mapping[str, object]) -> str:
    """Return the values of the owner's page, by path, as TOML."""
    tables: dict[str, list[str]] = {}
    for path, value in values.items():
        table, _, name = path.rpartition(".")
        tables.setdefault(table, []).append(f"{name} = {to_toml(value)}\n")
    return "\n".join(f"[{table}]\n{''.join(lines)}" for table, lines in tables.items())
