"""ALSA capture devices, from /proc/asound/cards and /proc/asound/pcm, and which of them `audio.device` names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.holders import read_process, read_text

_CARD = re.compile(r"^ *(\d+) \[(\S+) *\]: \S+ - (.+)$", re.MULTILINE)
_CAPTURE = re.compile(r"^(\d+)-(\d+): .*: capture \d+ *$", re.MULTILINE)
_HARDWARE = re.compile(r"(?:plug)?hw:(?:CARD=)?([^,]+)(?:,(?:DEV=)?(\d+))?(?:,.*)?")


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture device: numbers of card and device, the card's ALSA id, and its display name."""

    card: int
    device: int
    name: str
    about: str

    @property
    def hardware(self) -> str:
        """The device's ALSA name; by card id, because card numbers change when other devices are plugged in."""
        return f"hw:CARD={self.name},DEV={self.device}"

    @property
    def for_people(self) -> str:
        """As a line of the log calls it."""
        return f"{self.name} ({self.about})"


@dataclass(frozen=True, slots=True)
class Device:
    """What arecord opens: an ALSA PCM, and the capture device behind it where it is known."""

    pcm: str
    capture: Capture | None = None

    @property
    def unconverted(self) -> str:
        """The PCM without the plug plugin, which would offer any number of channels instead of the hardware's."""
        return self.pcm.removeprefix("plug") if self.pcm.startswith("plughw:") else self.pcm

    @property
    def for_people(self) -> str:
        """As a line of the log calls it."""
        return self.capture.for_people if self.capture else self.pcm


def captures(cards: str, pcms: str) -> list[Capture]:
    """The capture devices in the kernel's order, from the texts of /proc/asound/cards and /proc/asound/pcm."""
    names = {int(number): (name, about.strip()) for number, name, about in _CARD.findall(cards)}
    found = ((int(card), int(device)) for card, device in _CAPTURE.findall(pcms))
    return [Capture(card, device, *names[card]) for card, device in found if card in names]


def choose(wanted: str, there: Sequence[Capture]) -> Device | None:
    """The device that `audio.device` means; None when it is empty and there is none at all.

    A card's name means its first capture device; anything else is a PCM for ALSA to know, as `plughw:CARD=Device`
    or a name in /etc/asound.conf.
    """
    if not wanted:
        return _plugged(there[0]) if there else None
    for capture in there:
        if capture.name.lower() == wanted.lower():
            return _plugged(capture)
    return Device(wanted, _behind(wanted, there))


def listed(there: Sequence[Capture]) -> str:
    """The capture devices for people, as a sentence."""
    if not there:
        return "there is no capture device here; is a microphone plugged in? (arecord -l)"
    return "capture devices here: " + ", ".join(capture.for_people for capture in there)


def _plugged(capture: Capture) -> Device:
    return Device("plug" + capture.hardware, capture)


def _behind(pcm: str, there: Sequence[Capture]) -> Capture | None:
    """The capture device that a PCM such as `plughw:CARD=Device` or `hw:1,0` names."""
    match = _HARDWARE.fullmatch(pcm)
    if not match:
        return None
    card, device = match[1], int(match[2] or 0)
    fitting = (capture for capture in there if card in (capture.name, str(capture.card)) and capture.device == device)
    return next(fitting, None)


PROC = Path("/proc")


def find_captures(proc: Path = PROC) -> list[Capture]:
    """Return the capture devices that are present now."""
    return captures(read_text(proc / "asound/cards"), read_text(proc / "asound/pcm"))


def find_holder(capture: Capture | None, proc: Path = PROC) -> str:
    """Return the process that has the device open, such as "pipewire (process 812)"; empty if none is known."""
    if capture is None:
        return ""
    folder = proc / f"asound/card{capture.card}/pcm{capture.device}c"
    for status in sorted(folder.glob("sub*/status")):
        owner = re.search(r"^owner_pid *: *(\d+)", read_text(status), re.MULTILINE)
        if owner:
            return str(read_process(int(owner[1]), proc))
    return ""
