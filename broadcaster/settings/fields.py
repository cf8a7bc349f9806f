"""Settings that are lists of tables with fixed fields: `ice.servers` and `push`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broadcaster.settings.kinds import InvalidValue, Kind, Problem, PublicKind, read_parts


def read_fields(kinds: Mapping[str, Kind], allowed: str, value: object) -> dict[str, Any]:
    """Read the fields of one table by their kinds; `allowed` describes the table. Raises `InvalidValue`."""
    if not isinstance(value, dict):
        raise InvalidValue(Problem("", "", f"must be {allowed}"))
    unknown = _UnknownField(tuple(kinds))
    fields = read_parts((f".{name}", kinds.get(name, unknown), part) for name, part in value.items())
    return dict(zip(value, fields, strict=True))


class _UnknownField(PublicKind):
    """A field that does not exist. Its value is not shown: the name may be a misspelled `credential`."""

    allowed = ""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def read(self, value: object) -> None:
        raise InvalidValue(Problem("", "", f"no such field; the fields are {', '.join(self._names)}"))
