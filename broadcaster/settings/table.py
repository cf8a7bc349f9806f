"""The kind of `video.controls`: a table whose names are the camera's, not ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broadcaster.settings.kinds import NotAllowed, Plain, Problem
from broadcaster.settings.toml import to_toml

Value = bool | int | float | str | tuple["Value", ...]
"""What one name may have: as TOML has it, lists as tuples."""

Pairs = tuple[tuple[str, Value], ...]
"""A table that does not change."""


@dataclass(frozen=True, slots=True)
class Table(Plain):
    """Names with truth values, numbers, texts, or lists of them; `name` and `value` are an example."""

    name: str
    value: int

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return f"a table such as {to_toml({self.name: self.value})}"

    def read(self, value: object) -> Pairs:
        """See `Kind`."""
        if not isinstance(value, Mapping):
            raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}"))
        problems = [
            Problem(f".{name}", to_toml(part), "must be true or false, a number, a text, or a list of them")
            for name, part in value.items()
            if not _is_value(part)
        ]
        if problems:
            raise NotAllowed(*problems)
        return tuple((name, _frozen(part)) for name, part in value.items())

    def show(self, value: object) -> str:
        """See `Kind`."""
        assert isinstance(value, tuple)
        return to_toml(dict(value))


def _is_value(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_is_value, value))
    return isinstance(value, bool | int | float | str)


def _frozen(value: Value | list[Value]) -> Value:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
