"""The effective settings as commented TOML, which reads back to the same settings (secrets aside)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from broadcaster.settings.model import Setting, Settings, every_setting


def render(settings: Settings, *, changed: bool = False) -> str:
    """Return `settings` as TOML, each with its documentation; `changed`: only those that differ from their default.

    A secret is masked, and its line is a comment, so that nobody's token becomes `(set)` by reading this back.
    """
    shown = [item for item in every_setting() if not changed or item.of(settings) != item.default]
    return "\n".join(_table(name, items, settings) for name, items in groupby(shown, key=lambda item: item.table))


def _table(name: str, items: Iterable[Setting], settings: Settings) -> str:
    lines = [_setting(item, item.of(settings)) for item in items]
    return f"# {type(getattr(settings, name)).__doc__}\n[{name}]\n" + "".join(lines)


def _setting(item: Setting, value: object) -> str:
    kind = item.about.kind
    comment = "# " if kind.secret(value) else ""
    return f"# {item.about.doc} ({kind.allowed})\n{comment}{item.name} = {kind.show(value)}\n"
