"""Names of sound cards, output of the kernel and of arecord, and silence detection."""

import pytest

from broadcaster.devices.microphone.arecord import explain_failure, parse_channels
from broadcaster.devices.microphone.cards import (
    CaptureDevice,
    PcmDevice,
    choose_device,
    describe_devices,
    find_capture_devices,
    find_holder,
    parse_capture_devices,
)
from broadcaster.devices.microphone.conditioner import SILENCE_LIMIT, SilenceDetector

CARDS = """\
 0 [vc4hdmi0       ]: vc4-hdmi - vc4-hdmi-0
                      vc4-hdmi-0
 1 [Device         ]: USB-Audio - USB PnP Sound Device
                      C-Media Electronics Inc. USB PnP Sound Device at usb-0000:01:00.0-1.3, full speed
 2 [C920           ]: USB-Audio - HD Pro Webcam C920
                      HD Pro Webcam C920 at usb-0000:01:00.0-1.4, high speed
"""
PCMS = """\
00-00: MAI PCM i2s-hifi-0 : MAI PCM i2s-hifi-0 : playback 1
01-00: USB Audio : USB Audio : playback 1 : capture 1
02-00: USB Audio : USB Audio : capture 1
02-01: USB Audio : USB Audio #1 : capture 2
"""
USB_DEVICE = CaptureDevice(1, 0, "Device", "USB PnP Sound Device")
C920 = CaptureDevice(2, 0, "C920", "HD Pro Webcam C920")
C920_1 = CaptureDevice(2, 1, "C920", "HD Pro Webcam C920")
PRESENT = [USB_DEVICE, C920, C920_1]
OPENED = PcmDevice("plughw:CARD=Device,DEV=0", USB_DEVICE)


def test_capture_devices_are_parsed():
    assert parse_capture_devices(CARDS, PCMS) == PRESENT
    assert parse_capture_devices("--- no soundcards ---\n", "") == []


@pytest.mark.parametrize(
    ("setting", "pcm", "capture"),
    [
        ("", "plughw:CARD=Device,DEV=0", USB_DEVICE),
        ("Device", "plughw:CARD=Device,DEV=0", USB_DEVICE),
        ("c920", "plughw:CARD=C920,DEV=0", C920),
        ("plughw:CARD=C920", "plughw:CARD=C920", C920),
        ("hw:CARD=C920,DEV=1", "hw:CARD=C920,DEV=1", C920_1),
        ("plughw:1,0", "plughw:1,0", USB_DEVICE),
        ("hw:C920,1,0", "hw:C920,1,0", C920_1),
        ("plughw:CARD=Gone", "plughw:CARD=Gone", None),
        ("default", "default", None),
    ],
)
def test_setting_selects_a_device(setting, pcm, capture):
    assert choose_device(setting, PRESENT) == PcmDevice(pcm, capture)


def test_empty_setting_without_devices_selects_none():
    assert choose_device("", []) is None
    assert choose_device("Device", []) == PcmDevice("Device")


@pytest.mark.parametrize(
    ("pcm", "unconverted"),
    [("plughw:CARD=C920", "hw:CARD=C920"), ("hw:1,0", "hw:1,0"), ("default", "default")],
)
def test_capabilities_are_queried_without_conversion(pcm, unconverted):
    assert PcmDevice(pcm).unconverted == unconverted


@pytest.mark.parametrize(
    ("output", "channels"),
    [
        ("CHANNELS: 1\n", 1),
        ("CHANNELS: 2\n", 2),
        ("FORMAT:  S16_LE\nCHANNELS: [1 2]\nRATE: 48000\n", 2),
        ("CHANNELS: 4\n", 2),
        ("CHANNELS: [1 10000]\n", 1),
        ("CHANNELS: [1 1073741823]\n", 1),
        ("arecord: main:831: audio open error: No such device\n", None),
    ],
)
def test_channels_are_parsed(output, channels):
    assert parse_channels(output) == channels


@pytest.mark.parametrize(
    ("output", "device", "holder", "expected"),
    [
        (
            "ALSA lib pcm.c:2666:(snd_pcm_open_noupdate) Unknown PCM Mic\n"
            "arecord: main:831: audio open error: No such file or directory\n",
            PcmDevice("Mic"),
            "",
            "no microphone 'Mic' (audio.device); capture devices here: Device (USB PnP Sound Device), C920 (HD Pro",
        ),
        (
            "arecord: main:831: audio open error: Device or resource busy\n",
            OPENED,
            "pipewire (process 812)",
            "microphone Device (USB PnP Sound Device) is busy: pipewire (process 812) has it, the sound server of a",
        ),
        (
            "arecord: main:831: audio open error: Device or resource busy\n",
            OPENED,
            "arecord (process 9)",
            "microphone Device (USB PnP Sound Device) is busy: arecord (process 9) has it",
        ),
        (
            "arecord: main:831: audio open error: Device or resource busy\n",
            PcmDevice("x"),
            "",
            "another program has it",
        ),
        ("arecord: main:831: audio open error: Permission denied\n", OPENED, "", "must be in the group audio"),
        (
            "arecord: main:831: audio open error: No such device\n",
            OPENED,
            "",
            "is the daemon's user in the group audio",
        ),
        ("overrun!!!\narecord: pcm_read:2221: read error: No such device\n", OPENED, "", "Device) was unplugged"),
        ("arecord: pcm_read:2221: read error: File descriptor in bad state\n", OPENED, "", "Device) was unplugged"),
        ("arecord: set_params:1352: Sample format non available\n", OPENED, "", "use plughw instead of hw"),
        ("arecord: pcm_read:2221: read error: Input/output error\n", OPENED, "", "Device): read error: Input/output"),
        ("", OPENED, "", "arecord ended without an error message"),
    ],
)
def test_failure_is_explained(output, device, holder, expected):
    text = explain_failure(output, device, PRESENT, holder)
    assert expected in text
    assert "\n" not in text


def test_missing_devices_are_explained():
    assert describe_devices([]) == "there is no capture device here; is a microphone plugged in? (arecord -l)"


@pytest.fixture
def proc(tmp_path):
    status = tmp_path / "asound/card1/pcm0c/sub0/status"
    status.parent.mkdir(parents=True)
    (tmp_path / "asound/cards").write_text(CARDS)
    (tmp_path / "asound/pcm").write_text(PCMS)
    status.write_text("state: RUNNING\nowner_pid   : 812\ntrigger_time: 1.0\n")
    (tmp_path / "812").mkdir()
    (tmp_path / "812/comm").write_text("pipewire\n")
    return tmp_path


def test_present_devices_are_found(proc, tmp_path_factory):
    assert find_capture_devices(proc) == PRESENT
    assert find_capture_devices(tmp_path_factory.mktemp("no-audio")) == []


def test_holder_of_a_device_is_found(proc):
    assert find_holder(USB_DEVICE, proc) == "pipewire (process 812)"
    (proc / "812/comm").unlink()  # another user's process, as a hardened service sees it
    assert find_holder(USB_DEVICE, proc) == "process 812"
    (proc / "asound/card1/pcm0c/sub0/status").write_text("closed\n")
    assert find_holder(USB_DEVICE, proc) == ""
    assert find_holder(C920, proc) == ""
    assert find_holder(None, proc) == ""


def test_long_run_of_zeros_is_silence():
    detector = SilenceDetector()
    zeros, noise = bytes(1920), bytes(1919) + b"\1"
    assert not detector.is_silent(zeros, 0.0)
    assert not detector.is_silent(zeros, SILENCE_LIMIT - 0.02)
    assert not detector.is_silent(noise, SILENCE_LIMIT)
    assert not detector.is_silent(zeros, SILENCE_LIMIT + 0.02)
    assert detector.is_silent(zeros, 2 * SILENCE_LIMIT + 0.02)
    assert not detector.is_silent(noise, 2 * SILENCE_LIMIT + 0.04)
