"""ALSA capture devices, from /proc/asound/cards and /proc/asound/pcm, and the choice among them by `audio.device`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.holders import read_process, read_text

PROC = Path("/proc")

_CARD = re.compile(r"^ *(\d+) \[(\S+) *\]: \S+ - (.+)$", re.MULTILINE)
_CAPTURE = re.compile(r"^(\d+)-(\d+): .*: capture \d+ *$", re.MULTILINE)
_HARDWARE = re.compile(r"(?:plug)?hw:(?:CARD=)?([^,]+)(?:,(?:DEV=)?(\d+))?(?:,.*)?")


@dataclass(frozen=True, slots=True)
class CaptureDevice:
    """A capture device: numbers of card and device, the card's ALSA id, and its description."""

    card: int
    device: int
    card_id: str
    description: str

    @property
    def hardware(self) -> str:
        """The device's ALSA name; by card id, because card numbers change when other devices are plugged in."""
        return f"hw:CARD={self.card_id},DEV={self.device}"

    @property
    def display_name(self) -> str:
        """The name for log lines."""
        return f"{self.card_id} ({self.description})"


@dataclass(frozen=True, slots=True)
class PcmDevice:
    """What arecord opens: an ALSA PCM, and the capture device behind it if known."""

    pcm: str
    capture: CaptureDevice | None = None

    @property
    def unconverted(self) -> str:
        """The PCM without the plug plugin, which would offer any number of channels instead of the hardware's."""
        return self.pcm.removeprefix("plug") if self.pcm.startswith("plughw:") else self.pcm

    @property
    def display_name(self) -> str:
        """The name for log lines."""
        return self.capture.display_name if self.capture else self.pcm


def parse_capture_devices(cards: str, pcms: str) -> list[CaptureDevice]:
    """Return the capture devices in the kernel's order, from the text of /proc/asound/cards and /proc/asound/pcm."""
    names = {int(number): (card_id, text.strip()) for number, card_id, text in _CARD.findall(cards)}
    numbers = ((int(card), int(device)) for card, device in _CAPTURE.findall(pcms))
    return [CaptureDevice(card, device, *names[card]) for card, device in numbers if card in names]


def choose_device(setting: str, present: Sequence[CaptureDevice]) -> PcmDevice | None:
    """Return the device that `audio.device` means; None if it is empty and there is no device.

    A card's id means its first capture device; anything else is a PCM name for ALSA, such as `plughw:CARD=Device` or a
    name in /etc/asound.conf.
    """
    if not setting:
        return _with_conversion(present[0]) if present else None
    for capture in present:
        if capture.card_id.lower() == setting.lower():
            return _with_conversion(capture)
    return PcmDevice(setting, _find_hardware(setting, present))


def describe_devices(present: Sequence[CaptureDevice]) -> str:
    """Return a list of the capture devices for error messages."""
    if not present:
        return "there is no capture device here; is a microphone plugged in? (arecord -l)"
    return "capture devices here: " + ", ".join(capture.display_name for capture in present)


def _with_conversion(capture: CaptureDevice) -> PcmDevice:
    return PcmDevice("plug" + capture.hardware, capture)


def _find_hardware(pcm: str, present: Sequence[CaptureDevice]) -> CaptureDevice | None:
    """Return the capture device that a PCM such as `plughw:CARD=Device` or `hw:1,0` names."""
    match = _HARDWARE.fullmatch(pcm)
    if not match:
        return None
    card, device = match[1], int(match[2] or 0)
    matching = (
        capture for capture in present if card in (capture.card_id, str(capture.card)) and capture.device == device
    )
    return next(matching, None)


def find_capture_devices(proc: Path = PROC) -> list[CaptureDevice]:
    """Return the capture devices that are present now."""
    return parse_capture_devices(read_text(proc / "asound/cards"), read_text(proc / "asound/pcm"))


def find_holder(capture: CaptureDevice | None, proc: Path = PROC) -> str:
    """Return the process that has the device open, such as "pipewire (process 812)"; empty if unknown."""
    if capture is None:
        return ""
    folder = proc / f"asound/card{capture.card}/pcm{capture.device}c"
    for status in sorted(folder.glob("sub*/status")):
        owner = re.search(r"^owner_pid *: *(\d+)", read_text(status), re.MULTILINE)
        if owner:
            return str(read_process(int(owner[1]), proc))
    return ""
