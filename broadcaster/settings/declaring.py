"""How a setting is declared: a dataclass field with its default, kind, and one line of documentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from broadcaster.settings.kinds import Kind, Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class About:
    """Documentation and kind of a setting."""

    doc: str
    kind: Kind


def setting(default: T, kind: Kind, doc: str) -> T:
    """Return the field of a setting; secrets are left out of the `repr` of its table."""
    return field(default=default, repr=not isinstance(kind, Secret), metadata={"about": About(doc, kind)})
