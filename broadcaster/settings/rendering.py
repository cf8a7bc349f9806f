"""The effective settings as commented TOML, which reads back to the same (secrets aside), and a file to begin with."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from broadcaster.settings.model import Setting, Settings, every_setting

_HOW_TO = """\
# The broadcaster's settings, all at their defaults. To change one, take the # in front of it away, then:
#   sudo systemctl restart broadcaster
# What is wrong with them: journalctl -u broadcaster
"""


def render(settings: Settings, *, changed: bool = False) -> str:
    """Return `settings` as TOML, each with its documentation; `changed`: only those that differ from their default.

    A secret is masked, and its line is a comment, so that nobody's token becomes `(set)` by reading this back.
    """
    shown = [item for item in every_setting() if not changed or item.of(settings) != item.default]
    return "\n".join(_table(name, items, settings) for name, items in groupby(shown, key=lambda item: item.table))


def template() -> str:
    """Return a settings file to begin with: each setting as a comment with its default, ready to be changed."""
    defaults = Settings()
    tables = groupby(every_setting(), key=lambda item: item.table)
    return "\n".join([_HOW_TO, *(_table(name, items, defaults, mark="#") for name, items in tables)])


def _table(name: str, items: Iterable[Setting], settings: Settings, mark: str = "") -> str:
    lines = [_setting(item, item.of(settings), mark) for item in items]
    return f"# {type(getattr(settings, name)).__doc__}\n[{name}]\n" + "".join(lines)


def _setting(item: Setting, value: object, mark: str) -> str:
    kind = item.about.kind
    comment = "# " if kind.secret(value) else mark
    return f"# {item.about.doc} ({kind.allowed})\n{comment}{item.name} = {kind.show(value)}\n"
