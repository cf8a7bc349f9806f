"""Reads settings from TOML and `--set KEY=VALUE`, and reports all errors together."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from broadcaster.errors import SettingsError
from broadcaster.settings.constraints import CONSTRAINTS
from broadcaster.settings.kinds import Enum, InvalidValue, Problem, Text, did_you_mean
from broadcaster.settings.model import Settings, every_setting

_SETTINGS = {setting.path: setting for setting in every_setting()}
_PATHS = {setting.name: setting.path for setting in reversed(_SETTINGS.values())}
_TABLES = [table.name for table in fields(Settings) if table.name not in _SETTINGS]
_DEFAULTS = Settings()
_MAX_SHOWN = 120
"""Characters of an invalid value that an error message shows."""


def read(toml: str = "", assignments: Iterable[str] = ()) -> Settings:
    """Read the text of a settings file, then `KEY=VALUE` assignments, which take precedence; the rest has its default.

    Raises `SettingsError` with all problems of both.
    """
    reader = Reader()
    settings = reader.settings(reader.file(toml) | reader.assignments(assignments))
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings


class Reader:
    """Turns text into values by path, and values into settings; collects all problems."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def file(self, toml: str) -> dict[str, object]:
        """Return the values of known settings in TOML text, by path."""
        try:
            document = tomllib.loads(toml)
        except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists nested a thousand deep
            self.problems.append(f"not valid TOML: {error}")
            return {}
        return {path: value for name, table in document.items() for path, value in self._table(name, table)}

    def assignments(self, texts: Iterable[str]) -> dict[str, object]:
        """Return the values of known settings in `KEY=VALUE` texts, by path; the last assignment to a key counts."""
        values: dict[str, object] = {}
        for text in texts:
            path, equals, value = text.partition("=")
            path = path.strip()
            if not equals:
                self.problems.append(f"--set {path}: must be KEY=VALUE, such as video.width=640")
            elif self._is_known(path):
                values[path] = _parse(path, value)
        return values

    def settings(self, values: Mapping[str, object]) -> Settings:
        """Return settings with `values`, and with the default instead of each invalid value."""
        tables: dict[str, dict[str, Any]] = {table: {} for table in ("", *_TABLES)}
        invalid = set()
        for path, value in values.items():
            item = _SETTINGS[path]
            try:
                tables[item.table][item.name] = item.about.kind.read(value)
            except InvalidValue as error:
                invalid.add(path)
                self._add(path, error)
        outside = tables.pop("")
        settings = Settings(
            **{name: type(getattr(_DEFAULTS, name))(**table) for name, table in tables.items()}, **outside
        )
        self._check_constraints(settings, invalid)
        return settings

    def check(self, values: Mapping[str, object]) -> None:
        """Check values that another layer covers."""
        for path, value in values.items():
            try:
                _SETTINGS[path].about.kind.read(value)
            except InvalidValue as error:
                self._add(path, error)

    def _add(self, path: str, error: InvalidValue) -> None:
        self.problems += [_describe(path, problem) for problem in error.problems]

    def _table(self, name: str, table: object) -> Iterable[tuple[str, object]]:
        """Yield the known settings in one table of a file."""
        if name in _SETTINGS:
            yield name, table
        elif name not in _TABLES:
            self.problems.append(f"{name}: no such table or setting{_suggest(name)}")
        elif not isinstance(table, dict):
            self.problems.append(f"{name}: must be a table, [{name}]")
        else:
            for key, value in table.items():
                if self._is_known(f"{name}.{key}"):
                    yield f"{name}.{key}", value

    def _is_known(self, path: str) -> bool:
        # The value is not shown: it may be a secret with a misspelled name.
        if path not in _SETTINGS:
            self.problems.append(f"{path}: no such setting{_suggest(path)}")
        return path in _SETTINGS

    def _check_constraints(self, settings: Settings, invalid: set[str]) -> None:
        """Check combinations of settings, except those with an invalid value, for which the default stands in."""
        for constraint in CONSTRAINTS:
            if not invalid.intersection(constraint.paths) and constraint.is_violated(settings):
                self.problems.append(constraint.message)


def _parse(path: str, text: str) -> object:
    """Return the value in an assignment. Text settings take it literally, others as TOML, or literally if it is not."""
    if isinstance(_SETTINGS[path].about.kind, Text | Enum):
        return text
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return document["value"] if len(document) == 1 else text


def _describe(path: str, problem: Problem) -> str:
    value = problem.value if len(problem.value) <= _MAX_SHOWN else problem.value[:_MAX_SHOWN] + "…"
    return f"{path}{problem.path}{' = ' if value else ''}{value}: {problem.message}"


def _suggest(path: str) -> str:
    """Suggest the known setting with the most similar name, first in the same table, then in all; or the table."""
    table, _, name = path.rpartition(".")
    same_table = {item.name: item.path for item in _SETTINGS.values() if item.table == table}
    if hint := did_you_mean(name, same_table):
        return hint
    if name in _PATHS:
        return did_you_mean(name, _PATHS)
    return did_you_mean(path, [*_SETTINGS, *_TABLES]) or did_you_mean(name, _PATHS)
