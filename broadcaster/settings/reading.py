"""TOML and `--set KEY=VALUE` in; settings out, or all that is wrong with them at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from broadcaster.errors import SettingsError
from broadcaster.settings.crosschecks import CONSTRAINTS
from broadcaster.settings.kinds import Enum, NotAllowed, Problem, Text, did_you_mean
from broadcaster.settings.model import Settings, every_setting

_KNOWN = {setting.path: setting for setting in every_setting()}
_PATHS = {setting.name: setting.path for setting in reversed(_KNOWN.values())}
_TABLES = [table.name for table in fields(Settings)]
_DEFAULTS = Settings()
_LONGEST_SHOWN = 120
"""Characters that a problem shows of a wrong value."""


def read(toml: str = "", assignments: Iterable[str] = ()) -> Settings:
    """Read the text of a settings file, then `KEY=VALUE` assignments, which win; the rest has its default.

    Raises `SettingsError` with all problems of both.
    """
    reader = _Reader()
    settings = reader.settings(reader.file(toml) | reader.assignments(assignments))
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


class _Reader:
    """Turns texts into values by path, values into settings, and remembers all that is wrong on the way."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def file(self, toml: str) -> dict[str, object]:
        """Return the values of known settings in TOML text, by path."""
        try:
            document = tomllib.loads(toml)
        except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists a thousand deep
            self.problems.append(f"not TOML: {error}")
            return {}
        return {path: value for name, table in document.items() for path, value in self._table(name, table)}

    def assignments(self, texts: Iterable[str]) -> dict[str, object]:
        """Return the values of known settings in `KEY=VALUE` texts, by path; the last of a key wins."""
        values: dict[str, object] = {}
        for text in texts:
            path, equals, value = text.partition("=")
            path = path.strip()
            if not equals:
                self.problems.append(f"--set {path}: must be KEY=VALUE, such as video.width=640")
            elif self._knows(path):
                values[path] = _value(path, value)
        return values

    def settings(self, values: Mapping[str, object]) -> Settings:
        """Return settings with `values`; where one is not allowed, the default stands in for it."""
        tables: dict[str, dict[str, Any]] = {table: {} for table in _TABLES}
        wrong = set()
        for path, value in values.items():
            item = _KNOWN[path]
            try:
                tables[item.table][item.name] = item.about.kind.read(value)
            except NotAllowed as refused:
                wrong.add(path)
                self.problems += [_sentence(path, problem) for problem in refused.problems]
        settings = Settings(**{name: type(getattr(_DEFAULTS, name))(**table) for name, table in tables.items()})
        self._contradictions(settings, wrong)
        return settings

    def _table(self, name: str, table: object) -> Iterable[tuple[str, object]]:
        """Yield what is known in one table of a file."""
        if name not in _TABLES:
            self.problems.append(f"{name}: no such table or setting{_nearest(name)}")
        elif not isinstance(table, dict):
            self.problems.append(f"{name}: must be a table, [{name}]")
        else:
            for key, value in table.items():
                if self._knows(f"{name}.{key}"):
                    yield f"{name}.{key}", value

    def _knows(self, path: str) -> bool:
        # The value is not shown: it may be a secret whose name is misspelt.
        if path not in _KNOWN:
            self.problems.append(f"{path}: no such setting{_nearest(path)}")
        return path in _KNOWN

    def _contradictions(self, settings: Settings, wrong: set[str]) -> None:
        """Remember which settings do not fit each other, leaving out those that are wrong by themselves."""
        for contradiction in CONSTRAINTS:
            if not wrong.intersection(contradiction.paths) and contradiction.found(settings):
                self.problems.append(contradiction.wrong)


def _value(path: str, text: str) -> object:
    """Return the value of an assignment: text as it stands, all else as TOML; what is no TOML stays text."""
    if isinstance(_KNOWN[path].about.kind, Text | Enum):
        return text
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return document["value"] if len(document) == 1 else text


def _sentence(path: str, problem: Problem) -> str:
    shown = problem.shown if len(problem.shown) <= _LONGEST_SHOWN else problem.shown[:_LONGEST_SHOWN] + "…"
    return f"{path}{problem.at}{' = ' if shown else ''}{shown}: {problem.wrong}"


def _nearest(path: str) -> str:
    """Suggest the setting that is most like `path`: within its own table first, then in all; or the table."""
    table, _, name = path.rpartition(".")
    own = {item.name: item.path for item in _KNOWN.values() if item.table == table}
    if hint := did_you_mean(name, own):
        return hint
    if name in _PATHS:
        return did_you_mean(name, _PATHS)
    return did_you_mean(path, [*_KNOWN, *_TABLES]) or did_you_mean(name, _PATHS)
