"""Fixes: how to change a setting, and how to repair a video source by its failure reason. Pure."""

from __future__ import annotations

import importlib.util
import os
import shlex

from broadcaster.errors import StreamReason
from broadcaster.sandbox import FILMS
from broadcaster.settings import VideoSettings
from broadcaster.settings.paths import absolute, expand, without_password
from broadcaster.settings.toml import to_toml


def change_settings(advice: str) -> str:
    """Return `advice`, followed by the steps that change the settings."""
    return (
        f"{advice}\nEdit the settings file and restart the daemon. For the service:\n"
        "  sudoedit /etc/broadcaster/broadcaster.toml\n  sudo systemctl restart broadcaster"
    )


def reload_settings(advice: str) -> str:
    """Return `advice`, followed by the steps that change settings that a running daemon can read again."""
    return (
        f"{advice}\nEdit the settings file and let the daemon read it again. For the service:\n"
        "  sudoedit /etc/broadcaster/broadcaster.toml\n  sudo systemctl reload broadcaster"
    )


def copy_out_of_sandbox(film: str) -> str:
    """Return the fix for a media file that the service's sandbox hides."""
    visible = f"{FILMS}/{os.path.basename(film)}"
    command = shlex.join(["sudo", "install", "-D", "-m", "644", expand(film), visible])
    setting = change_settings(f"Then set [video] file = {to_toml(visible)}")
    return f"Copy the file to a folder that the service can see:\n  {command}\n{setting}"


INSTALL_AGAIN = "Install the broadcaster again, from the folder with its source code:\n  sudo make install"
READ_LOG = "Look for the cause in the log:\n  journalctl -u broadcaster -n 30"
LOWER_RESOLUTION = change_settings(
    "Lower the resolution or the frame rate, for example [video] width = 960, height = 540, fps = 25"
)

_RESEAT_CABLE = (
    "Switch the power off, reseat both ends of the camera cable, switch the power on, "
    "and check that the camera is listed:\n"
    "  rpicam-hello --list-cameras"
)
_PLUG_IN = (
    "Plug in a USB camera. If it is plugged in already, try another port or another cable. "
    "Check that it is listed:\n"
    "  lsusb"
)
_NOT_A_PI = change_settings(
    'video.source = "picamera2" works on a Raspberry Pi only. For a USB camera: [video] source = "v4l2"'
)
_USB_LIBRARY = (
    "For a USB camera, install the library that reads it, with pip or with pipx:\n"
    "  pip install 'pi-broadcaster[usb]'\n"
    "  pipx install --force 'pi-broadcaster[usb]'"
)
_FIXES = {
    StreamReason.CAMERA_BUSY: (
        "Stop the program that uses the camera. To find it:\n  sudo fuser -v /dev/video* /dev/media*"
    ),
    StreamReason.ENCODER: f"{LOWER_RESOLUTION}\nOr look for the cause in the kernel log:\n  sudo dmesg | tail",
    StreamReason.FILE: (
        "Check that the file is there, complete, and readable for the daemon's user:\n  ls -l {file}\n"
        "Or play another one: [video] file in the settings"
    ),
}
_CAMERA_MISSING = (StreamReason.NO_CAMERA, StreamReason.CAMERA_LOST)
_USB_SOURCES, _CSI_SOURCES = ("auto", "camera", "v4l2"), ("auto", "camera", "picamera2")


def has_usb_library() -> bool:
    """Return whether the library for USB cameras is installed."""
    return importlib.util.find_spec("linuxpy") is not None


def source_fix(reason: str, settings: VideoSettings, *, usb_library: bool = True, on_a_pi: bool = True) -> str:
    """Return the fix for a video source that failed with `reason`.

    Advice about cables is given for the kinds of cameras that the source may be. Without the library for USB cameras
    (`usb_library`), a cable can be at fault only for a Pi's own camera. Other machines than a Pi have USB cameras only.
    """
    fixes = {str(known): fix for known, fix in _FIXES.items()}
    if reason in _CAMERA_MISSING:
        return _connect(settings.source, usb_library=usb_library, on_a_pi=on_a_pi) or READ_LOG
    if reason == StreamReason.CAMERA_STALLED:
        connect = _connect(settings.source, usb_library=True, on_a_pi=on_a_pi)
        return f'{connect}\nToo little power has the same effect; see the line "power".' if connect else READ_LOG
    return fixes.get(reason, READ_LOG).replace("{file}", shlex.quote(without_password(absolute(settings.file))))


def _connect(source: str, *, usb_library: bool, on_a_pi: bool) -> str:
    """Return how to connect a camera that this video source may be; empty for a file and the test picture."""
    if source == "picamera2" and not on_a_pi:
        return _NOT_A_PI
    usb = (_PLUG_IN if usb_library else _USB_LIBRARY) if source in _USB_SOURCES else ""
    csi = _RESEAT_CABLE if source in _CSI_SOURCES and on_a_pi else ""
    if not (usb and csi):
        return usb or csi
    return f"{usb}\nFor the Pi's own camera:\n{csi}"
