"""Names of sound cards, what the kernel and arecord say, and silence."""

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
DEVICE = CaptureDevice(1, 0, "Device", "USB PnP Sound Device")
C920 = CaptureDevice(2, 0, "C920", "HD Pro Webcam C920")
C920_1 = CaptureDevice(2, 1, "C920", "HD Pro Webcam C920")
THERE = [DEVICE, C920, C920_1]
OPENED = PcmDevice("plughw:CARD=Device,DEV=0", DEVICE)


def test_capture_devices_are_found_among_the_others():
    assert parse_capture_devices(CARDS, PCMS) == THERE
    assert parse_capture_devices("--- no soundcards ---\n", "") == []


@pytest.mark.parametrize(
    ("wanted", "pcm", "capture"),
    [
        ("", "plughw:CARD=Device,DEV=0", DEVICE),
        ("Device", "plughw:CARD=Device,DEV=0", DEVICE),
        ("c920", "plughw:CARD=C920,DEV=0", C920),
        ("plughw:CARD=C920", "plughw:CARD=C920", C920),
        ("hw:CARD=C920,DEV=1", "hw:CARD=C920,DEV=1", C920_1),
        ("plughw:1,0", "plughw:1,0", DEVICE),
        ("hw:C920,1,0", "hw:C920,1,0", C920_1),
        ("plughw:CARD=Gone", "plughw:CARD=Gone", None),
        ("default", "default", None),
    ],
)
def test_the_setting_means_a_device(wanted, pcm, capture):
    assert choose_device(wanted, THERE) == PcmDevice(pcm, capture)


def test_without_any_device_an_empty_setting_means_none():
    assert choose_device("", []) is None
    assert choose_device("Device", []) == PcmDevice("Device")


@pytest.mark.parametrize(
    ("pcm", "asked"),
    [("plughw:CARD=C920", "hw:CARD=C920"), ("hw:1,0", "hw:1,0"), ("default", "default")],
)
def test_hardware_is_asked_without_what_converts(pcm, asked):
    assert PcmDevice(pcm).unconverted == asked


@pytest.mark.parametrize(
    ("said", "channels"),
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
def test_channels_are_those_of_the_hardware(said, channels):
    assert parse_channels(said) == channels


@pytest.mark.parametrize(
    ("said", "device", "holder", "words"),
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
def test_arecords_words_become_ours(said, device, holder, words):
    text = explain_failure(said, device, THERE, holder)
    assert words in text
    assert "\n" not in text


def test_without_devices_the_error_says_where_to_look():
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


def test_the_kernel_tells_which_devices_there_are(proc, tmp_path_factory):
    assert find_capture_devices(proc) == THERE
    assert find_capture_devices(tmp_path_factory.mktemp("no-sound")) == []


def test_the_kernel_tells_who_has_it(proc):
    assert find_holder(DEVICE, proc) == "pipewire (process 812)"
    (proc / "812/comm").unlink()  # another user's process, as a hardened service sees it
    assert find_holder(DEVICE, proc) == "process 812"
    (proc / "asound/card1/pcm0c/sub0/status").write_text("closed\n")
    assert find_holder(DEVICE, proc) == ""
    assert find_holder(C920, proc) == ""
    assert find_holder(None, proc) == ""


def test_only_zeros_for_long_are_silence():
    silence = SilenceDetector()
    zeros, noise = bytes(1920), bytes(1919) + b"\1"
    assert not silence.is_silent(zeros, 0.0)
    assert not silence.is_silent(zeros, SILENCE_LIMIT - 0.02)
    assert not silence.is_silent(noise, SILENCE_LIMIT)
    assert not silence.is_silent(zeros, SILENCE_LIMIT + 0.02)
    assert silence.is_silent(zeros, 2 * SILENCE_LIMIT + 0.02)
    assert not silence.is_silent(noise, 2 * SILENCE_LIMIT + 0.04)
