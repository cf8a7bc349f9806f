"""What the kernel tells about sound in /proc: the capture devices, and who has one open."""

from __future__ import annotations

import re
from pathlib import Path

from broadcaster.devices.holders import read_process
from broadcaster.devices.microphone.cards import Capture, captures
from broadcaster.devices.texts import read_text

PROC = Path("/proc")


def find_captures(proc: Path = PROC) -> list[Capture]:
    """The capture devices that are there now."""
    return captures(read_text(proc / "asound/cards"), read_text(proc / "asound/pcm"))


def find_holder(capture: Capture | None, proc: Path = PROC) -> str:
    """Who has the device open, such as "pipewire (process 812)"; empty if nobody has, or the kernel does not say."""
    if capture is None:
        return ""
    folder = proc / f"asound/card{capture.card}/pcm{capture.device}c"
    for status in sorted(folder.glob("sub*/status")):
        owner = re.search(r"^owner_pid *: *(\d+)", read_text(status), re.MULTILINE)
        if owner:
            return str(read_process(int(owner[1]), proc))
    return ""
