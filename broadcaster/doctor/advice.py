"""Fixes: how to change a setting, and how to repair a video source by its failure reason. Pure."""

from __future__ import annotations

import os
import shlex

from broadcaster.errors import StreamReason
from broadcaster.sandbox import FILMS
from broadcaster.settings import VideoSettings
from broadcaster.settings.paths import expand
from broadcaster.settings.toml import to_toml


def change_settings(advice: str) -> str:
    """Return `advice`, followed by the steps that change the settings."""
    return (
        f"{advice}\nEdit the settings file and restart the daemon. For the service:\n"
        "  sudoedit /etc/broadcaster/broadcaster.toml\n  sudo systemctl restart broadcaster"
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
    "  rpicam-hello --list-cameras    # ribbon cable\n"
    "  lsusb                          # USB"
)
_PLUG_IN_AGAIN = (
    "Plug the camera in again, if necessary at another port or with another cable, "
    "and check that it is listed:\n"
    "  lsusb"
)
_FIXES = {
    StreamReason.NO_CAMERA: _RESEAT_CABLE,
    StreamReason.CAMERA_LOST: _RESEAT_CABLE,
    StreamReason.CAMERA_STALLED: f'{_RESEAT_CABLE}\nToo little power has the same effect; see the line "power".',
    StreamReason.CAMERA_BUSY: (
        "Stop the program that uses the camera. To find it:\n  sudo fuser -v /dev/video* /dev/media*"
    ),
    StreamReason.ENCODER: f"{LOWER_RESOLUTION}\nOr look for the cause in the kernel log:\n  sudo dmesg | tail",
    StreamReason.FILE: "Check that the file exists and that this user can read it:\n  ls -l {file}",
}


_WITHOUT_CAMERA = (StreamReason.NO_CAMERA, StreamReason.CAMERA_LOST)
_USB_LIBRARY = (
    "For a USB camera, install the library that reads it, with pip or with pipx:\n"
    "  pip install 'pi-broadcaster[usb]'\n"
    "  pipx install --force 'pi-broadcaster[usb]'"
)


def source_fix(reason: str, settings: VideoSettings, *, usb_library: bool = True, on_a_pi: bool = True) -> str:
    """Return the fix for a video source that failed with `reason`.

    Without the library for USB cameras (`usb_library`), a cable can be at fault only for a Pi's own camera. Other
    machines than a Pi have USB cameras only.
    """
    if reason in _WITHOUT_CAMERA and not usb_library and settings.source in ("auto", "camera", "v4l2"):
        has_csi = on_a_pi and settings.source != "v4l2"
        return f"{_USB_LIBRARY}\nFor the Pi's own camera:\n{_RESEAT_CABLE}" if has_csi else _USB_LIBRARY
    fixes = {str(known): fix for known, fix in _FIXES.items()}
    fix = fixes.get(reason, READ_LOG).replace("{file}", settings.file)
    return fix if on_a_pi else fix.replace(_RESEAT_CABLE, _PLUG_IN_AGAIN)
