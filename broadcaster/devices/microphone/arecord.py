"""Command lines of arecord, and the meaning of its output. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from broadcaster.devices.microphone.cards import Capture, Device, listed
from broadcaster.devices.opus import RATE

PERIOD = RATE // 100
"""Samples that arecord passes on at a time: half a frame, so that a frame is ready at most 10 ms after its time."""
BUFFER = RATE // 5
"""Samples that the device may hold while arecord waits for the processor; it adds no delay."""
MOST_CHANNELS = 64
"""No hardware has more: a device that offers more converts, and does not say what is behind it."""

_CHANNELS = re.compile(r"^CHANNELS: *(.+)$", re.MULTILINE)
_PLACE = re.compile(r"^arecord: \w+:\d+: *")


def recording(pcm: str, channels: int) -> list[str]:
    """Return the command that records 16-bit samples to standard output until it is terminated."""
    return ["arecord", "-q", *_format(pcm, channels), f"--period-size={PERIOD}", f"--buffer-size={BUFFER}"]


def asking(pcm: str) -> list[str]:
    """Return the command that prints the capabilities of the device and exits."""
    return ["arecord", "--dump-hw-params", "--samples=1", f"--period-size={PERIOD}", *_format(pcm, 1)]


def _format(pcm: str, channels: int) -> list[str]:
    return ["-D", pcm, "-t", "raw", "-f", "S16_LE", "-r", str(RATE), "-c", str(channels)]


def offered_channels(said: str) -> int | None:
    """What to record from a device that said this: 2 if it has two or more, else 1; None if it did not say.

    A device that takes any number because it converts gets 1.
    """
    match = _CHANNELS.search(said)
    if not match:
        return None
    most = max(map(int, re.findall(r"\d+", match[1])), default=1)
    return 2 if 2 <= most <= MOST_CHANNELS else 1


def explain(said: str, device: Device, there: Sequence[Capture], holder: str) -> str:
    """Why arecord ended with these words, and what to do; `holder` is who has the device, empty if unknown."""
    complaint = _complaint(said)
    name = device.for_people
    if "busy" in complaint:
        return f"microphone {name} is busy: {holder or 'another program'} has it{_desktop(holder)}"
    if "Permission denied" in complaint:
        return f"microphone {name}: permission denied; the daemon's user must be in the group audio"
    # While a card goes, ALSA says now this, now that (ENODEV, EBADFD).
    if "open error" not in complaint and ("No such" in complaint or "bad state" in complaint):
        return f"microphone {name} was unplugged"
    if "No such" in complaint:
        if device.capture is None:
            return f"no microphone {device.pcm!r} (audio.device); {listed(there)}"
        return f"microphone {name} cannot be opened; is the daemon's user in the group audio?"
    if "non available" in complaint:
        return f"microphone {name}: {complaint}; plughw instead of hw in audio.device converts"
    return f"microphone {name}: {complaint or 'arecord ended without a word'}"


def _complaint(said: str) -> str:
    """arecord's own last line without the place in its source; ALSA's library says more above it."""
    lines = [line for line in said.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("arecord:")]
    return _PLACE.sub("", (own or lines or [""])[-1]).strip()


def _desktop(holder: str) -> str:
    sound_servers = ("pipewire", "pulseaudio", "wireplumber")
    if not holder.startswith(sound_servers):
        return ""
    return ", the sound server of a desktop session; log that session out, or start the Pi without a desktop"
