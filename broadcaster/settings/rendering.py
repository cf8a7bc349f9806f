"""Renders settings as commented TOML that can be read back, except for secrets; and the initial settings file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from broadcaster.settings.model import Setting, Settings, every_setting

_HEADER = """\
# The broadcaster's settings, all at their defaults. To change one, remove the # in front of it, then:
#   sudo systemctl restart broadcaster
# If a setting is invalid, the log says so: journalctl -u broadcaster
"""


_FROM = {"command line": "set on the command line", "page": "set on the owner's page", "file": "set in the file"}


def render(settings: Settings, *, changed: bool = False, origins: Mapping[str, str] | None = None) -> str:
    """Return `settings` as TOML with their documentation; `changed`: only those that differ from their default.

    `origins` says where their values come from. A secret is masked and commented out, so that reading the text back
    does not set a token to `(set)`.
    """
    shown = [item for item in every_setting() if not changed or item.of(settings) != item.default]
    notes = {path: f"; {_FROM[origin]}" for path, origin in (origins or {}).items()}
    return "\n".join(_table(name, items, settings, notes=notes) for name, items in _tables(shown))


def template() -> str:
    """Return the initial settings file: each setting at its default, commented out."""
    defaults = Settings()
    tables = [_table(name, items, defaults, prefix="#") for name, items in _tables(every_setting())]
    return "\n".join([_HEADER, *tables])


def _tables(items: Iterable[Setting]) -> Iterator[tuple[str, Iterator[Setting]]]:
    """Group settings by their tables, those outside tables first, as TOML requires."""
    return groupby(sorted(items, key=lambda item: item.table != ""), key=lambda item: item.table)


def _table(
    name: str, items: Iterable[Setting], settings: Settings, prefix: str = "", notes: Mapping[str, str] | None = None
) -> str:
    lines = [_setting(item, item.of(settings), prefix, (notes or {}).get(item.path, "")) for item in items]
    if not name:
        return "".join(lines)
    return f"# {type(getattr(settings, name)).__doc__}\n[{name}]\n" + "".join(lines)


def _setting(item: Setting, value: object, prefix: str, note: str) -> str:
    kind = item.about.kind
    prefix = "# " if kind.is_secret(value) else prefix
    return f"# {item.about.doc} ({kind.allowed}{note})\n{prefix}{item.name} = {kind.show(value)}\n"
