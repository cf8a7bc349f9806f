"""Command lines of arecord, and the meaning of its output. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from broadcaster.devices.microphone.cards import CaptureDevice, PcmDevice, describe_devices
from broadcaster.devices.opus import RATE

PERIOD = RATE // 100
"""Samples per write of arecord: half a frame, so that a frame is complete at most 10 ms late."""
BUFFER = RATE // 5
"""Samples that the device can buffer while arecord waits for the CPU; adds no delay."""
MAX_CHANNELS = 64
"""No hardware has more: a device that offers more converts, and does not tell what the hardware has."""

_CHANNELS = re.compile(r"^CHANNELS: *(.+)$", re.MULTILINE)
_SOURCE_LINE = re.compile(r"^arecord: \w+:\d+: *")
_SOUND_SERVERS = ("pipewire", "pulseaudio", "wireplumber")


def record_command(pcm: str, channels: int) -> list[str]:
    """Return the command that records 16-bit samples to standard output until it is terminated."""
    return ["arecord", "-q", *_format(pcm, channels), f"--period-size={PERIOD}", f"--buffer-size={BUFFER}"]


def query_command(pcm: str) -> list[str]:
    """Return the command that prints the capabilities of the device and exits."""
    return ["arecord", "--dump-hw-params", "--samples=1", f"--period-size={PERIOD}", *_format(pcm, 1)]


def _format(pcm: str, channels: int) -> list[str]:
    return ["-D", pcm, "-t", "raw", "-f", "S16_LE", "-r", str(RATE), "-c", str(channels)]


def parse_channels(output: str) -> int | None:
    """Return the number of channels to record, from the output of `query_command`; None if it does not contain it.

    2 if the device has two or more channels, otherwise 1; also 1 if it converts to any number.
    """
    match = _CHANNELS.search(output)
    if not match:
        return None
    maximum = max(map(int, re.findall(r"\d+", match[1])), default=1)
    return 2 if 2 <= maximum <= MAX_CHANNELS else 1


def explain_failure(output: str, device: PcmDevice, present: Sequence[CaptureDevice], holder: str) -> str:
    """Return why arecord ended with this error output, and what to do.

    `present` are the capture devices of this machine; `holder` is the process that uses the device, empty if unknown.
    """
    message = _error_message(output)
    name = device.display_name
    if "busy" in message:
        return f"microphone {name} is busy: {holder or 'another program'} has it{_sound_server_hint(holder)}"
    if "Permission denied" in message:
        return f"microphone {name}: permission denied; the daemon's user must be in the group audio"
    # While a card is being removed, ALSA reports either ENODEV or EBADFD.
    if "open error" not in message and ("No such" in message or "bad state" in message):
        return f"microphone {name} was unplugged"
    if "No such" in message:
        if device.capture is None:
            return f"no microphone {device.pcm!r} (audio.device); {describe_devices(present)}"
        return f"microphone {name} cannot be opened; is the daemon's user in the group audio?"
    if "non available" in message:
        return f"microphone {name}: {message}; use plughw instead of hw in audio.device, which converts"
    return f"microphone {name}: {message or 'arecord ended without an error message'}"


def _error_message(output: str) -> str:
    """Return arecord's own last line, without its source location; the lines of ALSA's library come before it."""
    lines = [line for line in output.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("arecord:")]
    return _SOURCE_LINE.sub("", (own or lines or [""])[-1]).strip()


def _sound_server_hint(holder: str) -> str:
    if not holder.startswith(_SOUND_SERVERS):
        return ""
    return ", the sound server of a desktop session; log out of that session, or boot the Pi without a desktop"
