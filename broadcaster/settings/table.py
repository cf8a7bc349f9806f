"""The kind of `video.controls`: a table whose names are defined by the camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broadcaster.settings.kinds import InvalidValue, Problem, PublicKind
from broadcaster.settings.toml import to_toml

Value = bool | int | float | str | tuple["Value", ...]
"""The value of one name, as in TOML, with tuples for lists."""

Pairs = tuple[tuple[str, Value], ...]
"""An immutable table."""


@dataclass(frozen=True, slots=True)
class Table(PublicKind):
    """Names with Booleans, numbers, strings, or lists of them; `example_name` and `example_value` show one."""

    example_name: str
    example_value: int

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return f"a table such as {to_toml({self.example_name: self.example_value})}"

    def read(self, value: object) -> Pairs:
        """See `Kind`."""
        if not isinstance(value, Mapping):
            raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))
        problems = [
            Problem(f".{name}", to_toml(part), "must be true or false, a number, a text, or a list of them")
            for name, part in value.items()
            if not _is_value(part)
        ]
        if problems:
            raise InvalidValue(*problems)
        return tuple((name, _immutable(part)) for name, part in value.items())

    def show(self, value: object) -> str:
        """See `Kind`."""
        assert isinstance(value, tuple)
        return to_toml(dict(value))


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_is_value, value))
    return isinstance(value, bool | int | float | str)


def _immutable(value: Value | list[Value]) -> Value:
    return tuple(map(_immutable, value)) if isinstance(value, list) else value
