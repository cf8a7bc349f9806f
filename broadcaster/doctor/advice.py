"""What to do: change a setting, or mend a source, by the word that it fails with. Pure."""

from __future__ import annotations

import os
import shlex

from broadcaster.errors import StreamReason
from broadcaster.sandbox import FILMS
from broadcaster.settings import VideoSettings
from broadcaster.settings.paths import expand
from broadcaster.settings.toml import to_toml


def change(advice: str) -> str:
    """Advice that ends in settings to change, and how the service gets them."""
    return (
        f"{advice} in the settings file, and start it anew:\n"
        "  sudoedit /etc/broadcaster/broadcaster.toml\n  sudo systemctl restart broadcaster"
    )


def unhide(film: str) -> str:
    """Advice for a film that the service's sandbox hides."""
    seen = f"{FILMS}/{os.path.basename(film)}"
    copy = shlex.join(["sudo", "install", "-D", "-m", "644", expand(film), seen])
    return f"Copy it to where the service sees it:\n  {copy}\n{change(f'Then set [video] file = {to_toml(seen)}')}"


INSTALL_AGAIN = "Install again, from the folder with the source:\n  sudo make install"
SEE_LOG = "See what the log says:\n  journalctl -u broadcaster -n 30"
SMALLER = change("Ask for less: [video] width = 960, height = 540, fps = 25")

_CABLE = (
    "Switch off, seat the camera's cable anew at both ends, switch on, and look:\n"
    "  rpicam-hello --list-cameras    # ribbon cable\n"
    "  lsusb                          # USB"
)
_FIXES = {
    StreamReason.NO_CAMERA: _CABLE,
    StreamReason.CAMERA_LOST: _CABLE,
    StreamReason.CAMERA_STALLED: f"{_CABLE}\nToo little power does this too: see the line power.",
    StreamReason.CAMERA_BUSY: "End the program that has it; to see which:\n  sudo fuser -v /dev/video* /dev/media*",
    StreamReason.ENCODER: f"{SMALLER}\nor see what the kernel says:\n  sudo dmesg | tail",
    StreamReason.FILE: "Look whether it is there, and readable for this user:\n  ls -l {file}",
}


_WITHOUT_CAMERA = (StreamReason.NO_CAMERA, StreamReason.CAMERA_LOST)
_USB_LIBRARY = (
    "For a USB camera, install the library that reads it; with pip, or pipx:\n"
    "  pip install 'pi-broadcaster[usb]'\n"
    "  pipx install --force 'pi-broadcaster[usb]'"
)


def source_fix(reason: str, settings: VideoSettings, *, usb_library: bool = True, on_a_pi: bool = True) -> str:
    """The fix for a video source that failed with `reason`.

    Without the library of USB cameras (`usb_library`) no cable is to blame, but for that of a Pi's own camera.
    """
    if reason in _WITHOUT_CAMERA and not usb_library and settings.source in ("auto", "camera", "v4l2"):
        own = on_a_pi and settings.source != "v4l2"
        return f"{_USB_LIBRARY}\nFor the Pi's own camera:\n{_CABLE}" if own else _USB_LIBRARY
    known = {str(word): fix for word, fix in _FIXES.items()}
    return known.get(reason, SEE_LOG).replace("{file}", settings.file)
