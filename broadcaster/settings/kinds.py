"""The kinds of values that a setting can have: what is allowed, in words for people, and the check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Any, Protocol

from broadcaster.settings.toml import to_toml

MASKED = "(set)"
"""What stands for a secret wherever settings are shown."""

PRINTABLE = r"[^\x00-\x1f\x7f\ud800-\udfff]*"
"""Text without control characters and surrogates: what a TOML file and a log line can carry as it stands."""


_LAST_PIN = 27
"""The 40-pin header carries GPIO 0 to 27 on every board that has one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a value.

    `at` is the path below the setting: "" is the setting itself, "[0].urls" a part of it. `shown` is the value
    as people may see it, empty where there is none to show.
    """

    at: str
    shown: str
    wrong: str


class NotAllowed(Exception):
    """A value that its setting does not take, with all that is wrong with it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems


class Kind(Protocol):
    """What values a setting takes."""

    @property
    def allowed(self) -> str:
        """What is allowed, for people."""

    def read(self, value: object) -> Any:
        """Turn a value as TOML has it into the setting's value. Raises `NotAllowed`."""

    def show(self, value: Any) -> str:
        """Spell a setting's value as TOML, secrets masked."""

    def secret(self, value: Any) -> bool:
        """Whether `value` holds a secret, so that `show` masks it."""


class Plain:
    """A kind without secrets."""

    __slots__ = ()

    def show(self, value: object) -> str:
        """See `Kind`."""
        return to_toml(value)

    def secret(self, value: object) -> bool:
        """See `Kind`."""
        return False


@dataclass(frozen=True, slots=True)
class Enum(Plain):
    """One word of a closed set."""

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
        raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}{hint}"))


@dataclass(frozen=True, slots=True)
class Text(Plain):
    """A text that matches `pattern` as a whole; `allowed` says in words what that is."""

    allowed: str
    pattern: str

    def read(self, value: object) -> str:
        """See `Kind`."""
        if isinstance(value, str) and re.fullmatch(self.pattern, value):
            return value
        raise NotAllowed(Problem("", self.show(value), f"must be {self.allowed}"))


class Secret(Text):
    """A text that is never shown."""

    __slots__ = ()

    def show(self, value: object) -> str:
        """See `Kind`."""
        return MASKED if value else to_toml(value)

    def secret(self, value: object) -> bool:
        """See `Kind`."""
        return bool(value)


@dataclass(frozen=True, slots=True)
class Texts(Plain):
    """A list of texts, each of the kind `each`; `example` is one of them."""

    each: Text
    example: str

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return f"a list such as {to_toml([self.example])}"

    def read(self, value: object) -> tuple[str, ...]:
        """See `Kind`."""
        if not isinstance(value, list):
            raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}"))
        return tuple(read_each(self.each, value))


@dataclass(frozen=True, slots=True)
class Int(Plain):
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
        # Not `isinstance`: true and false are no numbers here.
        if type(value) is int and self.low <= value <= self.high and value % self.step == 0:
            return value
        raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}"))


@dataclass(frozen=True, slots=True)
class IntEnum(Plain):
    """One number of a closed set."""

    choices: tuple[int, ...]

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return "one of " + ", ".join(map(str, self.choices))

    def read(self, value: object) -> int:
        """See `Kind`."""
        if type(value) is int and value in self.choices:
            return value
        raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}"))


@dataclass(frozen=True, slots=True)
class Float(Plain):
    """A number of `unit` from `low` to `high`, with or without decimals."""

    low: float
    high: float
    unit: str

    @property
    def allowed(self) -> str:
        """See `Kind`."""
        return f"a number of {self.unit} from {self.low:g} to {self.high:g}"

    def read(self, value: object) -> float:
        """See `Kind`."""
        # NaN fails the comparison; true and false are no numbers here.
        if isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high:
            return float(value)
        raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}"))


@dataclass(frozen=True, slots=True)
class Bool(Plain):
    """Yes or no."""

    allowed: str = "true or false"

    def read(self, value: object) -> bool:
        """See `Kind`."""
        if isinstance(value, bool):
            return value
        raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}"))


@dataclass(frozen=True, slots=True)
class Pin(Plain):
    """A pin of the 40-pin header by its BCM number, or None for no pin, spelt "off"."""

    allowed: str = 'a BCM number from 0 to 27, or "off"'

    def read(self, value: object) -> int | None:
        """See `Kind`."""
        if value == "off":
            return None
        # Not `isinstance`: true and false are no numbers here.
        if type(value) is int and 0 <= value <= _LAST_PIN:
            return value
        raise NotAllowed(Problem("", to_toml(value), f"must be {self.allowed}"))

    def show(self, value: object) -> str:
        """See `Kind`."""
        return to_toml("off" if value is None else value)


def read_each(kind: Kind, values: Sequence[object]) -> list[Any]:
    """Read every value of a list by `kind`. Raises `NotAllowed` with all problems, placed in the list."""
    return read_parts((f"[{index}]", kind, value) for index, value in enumerate(values))


def read_parts(parts: Iterable[tuple[str, Kind, object]]) -> list[Any]:
    """Read (place, kind, value) each. Raises `NotAllowed` with the problems of all parts."""
    read: list[Any] = []
    problems: list[Problem] = []
    for at, kind, value in parts:
        try:
            read.append(kind.read(value))
        except NotAllowed as refused:
            problems += [Problem(at + problem.at, problem.shown, problem.wrong) for problem in refused.problems]
    if problems:
        raise NotAllowed(*problems)
    return read


def did_you_mean(word: str, known: Mapping[str, str] | Sequence[str]) -> str:
    """Ask for the known word that is most like `word`, or for what a mapping has for it; empty if none is."""
    near = get_close_matches(word.lower(), list(known), n=1)
    if not near:
        return ""
    return f"; did you mean {known[near[0]] if isinstance(known, Mapping) else near[0]}?"


def _of(unit: str) -> str:
    return f" of {unit}" if unit else ""


_ALLOWED = "an IP address or network such as 192.168.1.0/24"


class Network(Text):
    """An IP address, or a network of them."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_ALLOWED, "[0-9A-Fa-f.:/]{1,49}")

    def read(self, value: object) -> str:
        """See `Kind`."""
        text = super().read(value)
        try:
            return str(ip_network(text) if "/" in text else ip_address(text))
        except ValueError as error:
            raise NotAllowed(Problem("", to_toml(text), f"must be {self.allowed}{_hint(text, error)}")) from None


def _hint(text: str, error: ValueError) -> str:
    """Say which network was meant, where an address has a length behind it (192.168.1.7/24)."""
    if "host bits" not in str(error):
        return ""
    return f"; did you mean {ip_network(text, strict=False)}?"
