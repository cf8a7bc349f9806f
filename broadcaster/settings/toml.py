"""Writes values as TOML, which the standard library can only read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence


def to_toml(value: object) -> str:
    """Return `value` as TOML 1.0 on one line: strings, Booleans, numbers, arrays and inline tables."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # TOML integers have 64 bits. Python refuses to convert thousands of digits to decimal, but not to hexadecimal.
        return str(value) if -(2**63) <= value < 2**63 else hex(value)
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {to_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(to_toml(part) for part in value) + "]"
    return str(value)


def _quote(text: str) -> str:
    # JSON's escapes are valid in TOML, which only wants DEL escaped in addition.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quote(key)
