"""Values as TOML text (the standard library only reads it)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence


def to_toml(value: object) -> str:
    """Return `value` as TOML 1.0 spells it on one line: texts, truth values, numbers, lists and inline tables."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # TOML's integers have 64 bits; of longer ones Python refuses to write thousands of digits.
        return str(value) if -(2**63) <= value < 2**63 else hex(value)
    if isinstance(value, str):
        return _spell_text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_spell_key(key)} = {to_toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(to_toml(part) for part in value) + "]"
    return str(value)


def _spell_text(text: str) -> str:
    # JSON's escapes are TOML's too; the one character that only TOML wants escaped is DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _spell_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _spell_text(key)
