"""The names of all results; a separate module, so that the command line need not import the checks."""

from __future__ import annotations

GROUPS = {
    "board": ("board", "system"),
    "versions": ("versions",),
    "settings": ("settings",),
    "service": ("service",),
    "permissions": ("permissions",),
    "camera": ("camera", "encoder", "rendition"),
    "microphone": ("microphone",),
    "pins": ("pins",),
    "power": ("power", "heat"),
    "wifi": ("wifi",),
    "network": ("port", "addresses"),
    "certificate": ("certificate",),
    "candidates": ("candidates",),
    "internet": ("nat", "turn"),
    "push": ("push",),
    "recordings": ("recordings",),
    "clock": ("clock",),
    "resources": ("memory", "disk"),
}
"""Names of results by the check that produces them, in the order of the report."""

NAMES = tuple(name for group in GROUPS.values() for name in group)
