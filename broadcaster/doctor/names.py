"""The names of all results; a module of its own, because the command line needs only these and starts faster so."""

from __future__ import annotations

GROUPS = {
    "board": ("board", "system"),
    "versions": ("versions",),
    "settings": ("settings",),
    "service": ("service",),
    "permissions": ("permissions",),
    "camera": ("camera", "encoder"),
    "microphone": ("microphone",),
    "pins": ("pins",),
    "power": ("power", "heat"),
    "wifi": ("wifi",),
    "network": ("port", "addresses"),
    "certificate": ("certificate",),
    "candidates": ("ways",),
    "clock": ("clock",),
    "resources": ("memory", "disk"),
}
"""Names of results by the check that produces them, in the order of the report."""

NAMES = tuple(name for group in GROUPS.values() for name in group)
