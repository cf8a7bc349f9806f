"""Input from files, programs and request headers, and encoded video from cameras."""

from __future__ import annotations

from broadcaster.auth.rate_limits import networks
from broadcaster.auth.tokens import bearer_token
from broadcaster.devices.microphone.arecord import explain_failure, parse_channels
from broadcaster.devices.microphone.cards import (
    CaptureDevice,
    PcmDevice,
    choose_device,
    describe_devices,
    parse_capture_devices,
)
from broadcaster.errors import SettingsError
from broadcaster.media.h264 import NalType, is_keyframe, nal_type, payloads, split_nal_units
from broadcaster.media.parameter_sets import ParameterSets
from broadcaster.rate_limited_log import quoted
from broadcaster.settings.reading import read
from broadcaster.web import access
from broadcaster.web.proxies import Proxies
from tests.unit.depacketizer import depacketize

NAMES = access.own_names(["pi"], ["cam.example.org"])
PROXIES = Proxies(["10.0.0.0/8", "::1"])
MICROPHONE = CaptureDevice(1, 0, "Device", "USB PnP Sound Device")


def h264(data: bytes) -> None:
    """Packetize any bytes and reassemble them; only delimiters and filler may be missing."""
    if not data:
        return
    limit, stream = 3 + data[0], data[1:]
    nals = [bytes(nal) for nal in split_nal_units(stream) if nal_type(nal) not in (NalType.AUD, NalType.FILLER)]
    parts = payloads(stream, limit)
    assert all(0 < len(part) <= limit for part in parts)
    if all(1 <= nal_type(nal) <= 23 and len(nal) > 1 for nal in nals):
        assert depacketize(parts) == b"".join(b"\0\0\0\1" + nal for nal in nals)
    sets = ParameterSets()
    for _ in range(2):
        unit, keyframe = sets.complete(stream)
        assert not keyframe or is_keyframe(unit)
    sets.obstacle  # noqa: B018


def settings(data: bytes) -> None:
    """Check that a file and assignments are accepted, or rejected with an explanation."""
    text = data.decode("utf-8", "replace")
    for toml, assignments in ((text, []), ("", text.splitlines())):
        problems = _problems(toml, assignments)
        assert problems is None or (problems and all(problems))


def _problems(toml: str, assignments: list[str]) -> list[str] | None:
    try:
        read(toml, assignments)
    except SettingsError as error:
        return list(error.problems)
    return None


def headers(data: bytes) -> None:
    """Parse Host, Origin, X-Forwarded-For and Authorization; check that quoted text is one short log line."""
    text = data.decode("latin-1")
    host, _, origin = text.partition("\n")
    own = access.own_host(host, NAMES)
    if own is not None:
        assert own.isascii()
        assert not set(own) & set(" ;,'\"\r\n%/@")
    access.is_allowed_origin(origin, host, ["https://site.example"])
    caller = PROXIES.caller("10.0.0.1", [host], [origin], secure=False)
    assert networks(caller.address)
    bearer_token(text)
    line = quoted(text)
    assert line.isprintable()
    assert len(line) <= 200


def sound_cards(data: bytes) -> None:
    """Parse what the kernel and arecord print about microphones."""
    text = data.decode("utf-8", "replace")
    cards, _, rest = text.partition("\0")
    devices = parse_capture_devices(cards, rest)
    describe_devices(devices)
    choose_device(rest, devices)
    channels = parse_channels(text)
    assert channels is None or channels > 0
    assert explain_failure(text, PcmDevice("plughw:CARD=Device", MICROPHONE), [*devices, MICROPHONE], "")
