"""The kind of `push`: one table for each media server to which the stream is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urlsplit

from broadcaster.settings.fields import read_fields
from broadcaster.settings.host_names import can_be_looked_up
from broadcaster.settings.kinds import (
    MASKED,
    PRINTABLE,
    Bool,
    InvalidValue,
    Kind,
    Problem,
    PublicKind,
    Secret,
    Text,
    read_parts,
)
from broadcaster.settings.toml import to_toml

MAX_TARGETS = 8
"""Each target takes as much of the uplink as a viewer."""

_SECRET_PART = 16
"""Characters from which a part of a URL's path may be a key, as in the URLs of some services."""


class _Url(Text):
    """The URL of a WHIP endpoint (RFC 9725 §4.2). It is masked, because for some services it is the secret itself."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("an http or https URL such as https://example.org/whip, without spaces", "[!-~]{1,2000}")

    def read(self, value: object) -> str:
        text = super().read(value)
        if fault := _url_fault(text):
            raise InvalidValue(Problem("", self.show(text), f"{fault}; an example is https://example.org/whip"))
        return text

    def show(self, value: object) -> str:
        return MASKED if value else to_toml(value)

    def is_secret(self, value: object) -> bool:
        return True


def _url_fault(text: str) -> str:
    """Return which part of a URL is wrong, without its value, which may be a secret; empty if it is valid."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:  # brackets that are not closed
        return "the host is missing or invalid"
    if parts.scheme not in ("http", "https"):
        return "the scheme must be http or https"
    if "@" in parts.netloc:
        return "there must be no user name and no password; use token"
    if not can_be_looked_up(host):
        return "the host is missing or invalid"
    if not _is_port_valid(parts):
        return "the port must be a number from 1 to 65535"
    return "there must be no # in it" if parts.fragment else ""


def _is_port_valid(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


_EXAMPLE = '{name = "relay", url = "https://example.org/whip", token = "…"}'
_FIELDS: Mapping[str, Kind] = {
    "name": Text("a text of 1 to 40 characters without control characters", rf"(?=.{{1,40}}\Z){PRINTABLE}"),
    "url": _Url(),
    # A token is sent in an `Authorization` header (RFC 6750 §2.1); some are signed documents (JWT).
    "token": Secret("up to 4096 visible ASCII characters", r"[!-~]{0,4096}"),
    "token_file": Text("a path, or empty", PRINTABLE),
    "enabled": Bool(),
}


@dataclass(frozen=True, slots=True)
class PushTarget:
    """One media server; `token_file` is the path of a file that holds the token instead of `token`."""

    name: str
    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    enabled: bool = True

    @property
    def server(self) -> str:
        """Scheme, host and port of the URL, for the log and the status: its path may be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def secrets(self) -> frozenset[str]:
        """What must not appear in the log: the token, and the parts of the URL that may be a key."""
        parts = urlsplit(self.url)
        keys = [key for key in re.split("[/&=]", f"{parts.path}/{parts.query}") if len(key) >= _SECRET_PART]
        return frozenset([self.token, *keys]) - {""}


class PushTargets:
    """A list of tables, one per media server."""

    allowed = f"a list of tables such as {_EXAMPLE}"

    def read(self, value: object) -> tuple[PushTarget, ...]:
        """See `Kind`."""
        if not isinstance(value, list):
            raise InvalidValue(Problem("", "", f"must be {self.allowed}"))
        targets = read_parts(
            (f" target {_label(table, place)}", _TargetTable(), table) for place, table in enumerate(value, 1)
        )
        names = [target.name for target in targets]
        problems = [
            Problem(
                f" target {place}, name", to_toml(name), f"target {names.index(name) + 1} has it, too; choose another"
            )
            for place, name in enumerate(names, 1)
            if name in names[: place - 1]
        ]
        if len(targets) > MAX_TARGETS:
            problems.append(Problem("", "", f"has {len(targets)} targets; at most {MAX_TARGETS} are possible"))
        if problems:
            raise InvalidValue(*problems)
        return tuple(targets)

    def show(self, value: tuple[PushTarget, ...]) -> str:
        """See `Kind`."""
        return to_toml([_shown_fields(target) for target in value])

    def is_secret(self, value: tuple[PushTarget, ...]) -> bool:
        """See `Kind`."""
        return bool(value)


class _TargetTable(PublicKind):
    """One table of the list."""

    allowed = f"a table such as {_EXAMPLE}"

    def read(self, value: object) -> PushTarget:
        table = {"name": "", "url": "", **value} if isinstance(value, dict) else value
        try:
            target = PushTarget(**read_fields(_FIELDS, self.allowed, table))
        except InvalidValue as error:
            problems = [replace(problem, path=problem.path.replace(".", ", ", 1)) for problem in error.problems]
            raise InvalidValue(*problems) from None
        if target.token and target.token_file:
            raise InvalidValue(Problem("", "", "both token and token_file are set; set only one of them"))
        return target


def _label(table: object, place: int) -> str:
    """Return how messages call a target: by its name, or if that is missing or invalid, by its place in the list."""
    name = table.get("name") if isinstance(table, dict) else None
    try:
        return to_toml(_FIELDS["name"].read(name))
    except InvalidValue:
        return str(place)


def _shown_fields(target: PushTarget) -> dict[str, object]:
    """Return the fields that are set, as `broadcaster settings` shows them."""
    token = MASKED if target.token else ""
    fields = {"name": target.name, "url": f"{target.server}/…", "token": token, "token_file": target.token_file}
    return {name: value for name, value in fields.items() if value} | {"enabled": target.enabled}
