"""The kinds of settings: each validates a value, and describes which values are allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Any, Protocol

from broadcaster.settings.toml import to_toml

MASKED = "(set)"
"""Shown instead of a secret."""

PRINTABLE = r"[^\x00-\x1f\x7f\ud800-\udfff]*"
"""Text without control characters and surrogates, which a TOML file and a log line can hold unescaped."""

_LAST_PIN = 27
"""The 40-pin header has GPIO 0 to 27 on all boards."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error in the value of a setting.

    `path` is relative to the setting: "" for the setting itself, "[0].urls" for a part of it. `value` is the invalid
    value as TOML, with secrets masked; empty if it is not to be shown.
    """

    path: str
    value: str
    message: str


class InvalidValue(Exception):
    """A value that is not allowed for its setting, with all problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems


class Kind(Protocol):
    """A set of allowed values."""

    @property
    def allowed(self) -> str:
        """A description of the allowed values."""

    def read(self, value: object) -> Any:
        """Validate a value from TOML, and return the value of the setting. Raises `InvalidValue`."""

    def show(self, value: Any) -> str:
        """Return the value of a setting as TOML, with secrets masked."""

    def is_secret(self, value: Any) -> bool:
        """Whether `value` contains a secret, which `show` masks."""


class PublicKind:
    """The base of kinds without secrets."""

    __slots__ = ()

    def show(self, value: object) -> str:
        """See `Kind`."""
        return to_toml(value)

    def is_secret(self, value: object) -> bool:
        """See `Kind`."""
        return False


@dataclass(frozen=True, slots=True)
class Enum(PublicKind):
    """One of a fixed set of words."""

    choices: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return "one of " + ", ".join(self.choices)

    def read(self, value: object) -> str:
        """See `Kind`."""
        if isinstance(value, str) and value in self.choices:
            return value
        hint = did_you_mean(value, self.choices) if isinstance(value, str) else ""
        raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}{hint}"))


@dataclass(frozen=True, slots=True)
class Text(PublicKind):
    """A text that matches all of `pattern`, which `allowed` describes."""

    allowed: str
    pattern: str

    def read(self, value: object) -> str:
        """See `Kind`."""
        if isinstance(value, str) and re.fullmatch(self.pattern, value):
            return value
        raise InvalidValue(Problem("", self.show(value), f"must be {self.allowed}"))


class Secret(Text):
    """A text that is always masked."""

    __slots__ = ()

    def show(self, value: object) -> str:
        """See `Kind`."""
        return MASKED if value else to_toml(value)

    def is_secret(self, value: object) -> bool:
        """See `Kind`."""
        return bool(value)


@dataclass(frozen=True, slots=True)
class Texts(PublicKind):
    """A list of texts of kind `item`; `example` shows one."""

    item: Text
    example: str

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return f"a list such as {to_toml([self.example])}"

    def read(self, value: object) -> tuple[str, ...]:
        """See `Kind`."""
        if not isinstance(value, list):
            raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))
        return tuple(read_items(self.item, value))


@dataclass(frozen=True, slots=True)
class Int(PublicKind):
    """A whole number of `unit` from `low` to `high`, a multiple of `step` (1 or 2)."""

    low: int
    high: int
    unit: str = ""
    step: int = 1

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        number = "an even" if self.step == 2 else "a whole"
        return f"{number} number{_of(self.unit)} from {self.low} to {self.high}"

    def read(self, value: object) -> int:
        """See `Kind`."""
        # Not `isinstance`: a bool is an int in Python.
        if type(value) is int and self.low <= value <= self.high and value % self.step == 0:
            return value
        raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))


@dataclass(frozen=True, slots=True)
class IntEnum(PublicKind):
    """One of a fixed set of numbers."""

    choices: tuple[int, ...]

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return "one of " + ", ".join(map(str, self.choices))

    def read(self, value: object) -> int:
        """See `Kind`."""
        if type(value) is int and value in self.choices:
            return value
        raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))


@dataclass(frozen=True, slots=True)
class Float(PublicKind):
    """A number of `unit` from `low` to `high`, integer or not."""

    low: float
    high: float
    unit: str

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return f"a number of {self.unit} from {self.low:g} to {self.high:g}"

    def read(self, value: object) -> float:
        """See `Kind`."""
        # NaN fails the comparison; a bool is an int in Python.
        if isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high:
            return float(value)
        raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))


@dataclass(frozen=True, slots=True)
class Bool(PublicKind):
    """True or false."""

    allowed: str = "true or false"

    def read(self, value: object) -> bool:
        """See `Kind`."""
        if isinstance(value, bool):
            return value
        raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))


@dataclass(frozen=True, slots=True)
class Pin(PublicKind):
    """A pin of the 40-pin header by its BCM number, or None, which is "off" in TOML."""

    allowed: str = 'a BCM number from 0 to 27, or "off"'

    def read(self, value: object) -> int | None:
        """See `Kind`."""
        if value == "off":
            return None
        # Not `isinstance`: a bool is an int in Python.
        if type(value) is int and 0 <= value <= _LAST_PIN:
            return value
        raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))

    def show(self, value: object) -> str:
        """See `Kind`."""
        return to_toml("off" if value is None else value)


def read_items(kind: Kind, values: Sequence[object]) -> list[Any]:
    """Read every value of a list by `kind`. Raises `InvalidValue` with the problems of all values."""
    return read_parts((f"[{index}]", kind, value) for index, value in enumerate(values))


def read_parts(parts: Iterable[tuple[str, Kind, object]]) -> list[Any]:
    """Read each (path, kind, value). Raises `InvalidValue` with the problems of all parts."""
    read: list[Any] = []
    problems: list[Problem] = []
    for path, kind, value in parts:
        try:
            read.append(kind.read(value))
        except InvalidValue as error:
            problems += [replace(problem, path=path + problem.path) for problem in error.problems]
    if problems:
        raise InvalidValue(*problems)
    return read


def did_you_mean(word: str, known: Mapping[str, str] | Sequence[str]) -> str:
    """Return a question naming the known word (or its value in a mapping) most similar to `word`; empty if none is."""
    near = get_close_matches(word.lower(), list(known), n=1)
    if not near:
        return ""
    return f"; did you mean {known[near[0]] if isinstance(known, Mapping) else near[0]}?"


def _of(unit: str) -> str:
    return f" of {unit}" if unit else ""


class Network(Text):
    """An IP address or network."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("an IP address or network such as 192.168.1.0/24", "[0-9A-Fa-f.:/]{1,49}")

    def read(self, value: object) -> str:
        """See `Kind`."""
        text = super().read(value)
        try:
            return str(ip_network(text) if "/" in text else ip_address(text))
        except ValueError as error:
            raise InvalidValue(Problem("", to_toml(text), f"must be {self.allowed}{_hint(text, error)}")) from None


def _hint(text: str, error: ValueError) -> str:
    """Suggest the network of an address with a prefix length (192.168.1.7/24)."""
    if "host bits" not in str(error):
        return ""
    return f"; did you mean {ip_network(text, strict=False)}?"
