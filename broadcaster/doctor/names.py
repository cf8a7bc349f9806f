"""What there is to look at, by the names of the lines; apart, because the command line wants no more than this."""

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
    "ways": ("ways",),
    "clock": ("clock",),
    "room": ("memory", "disk"),
}
"""Names of lines by the group that is looked at together, in the order in which they are shown."""

NAMES = tuple(name for group in GROUPS.values() for name in group)
