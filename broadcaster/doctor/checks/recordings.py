"""The folder of recordings: whether the service may write there, free space, and how fast the disk flushes."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from broadcaster.doctor.checks.board import format_size
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.sandbox import contains, drop_in, writable
from broadcaster.settings import Settings
from broadcaster.settings.paths import absolute
from broadcaster.storage.recordings.mounts import missing_disk
from broadcaster.storage.state_file import state_folder

TEST_TIME = 3.0
"""Seconds of writing; SD cards stop now and then."""
CHUNK = 2.0
"""Seconds of video that the recorder writes and flushes at once."""
DROP_INS = "/etc/systemd/system/broadcaster.service.d"
_AUDIO_BITRATE = 64_000
_KEYFRAME = 5
"""Size of a keyframe in ordinary pictures."""
_DAY = 86_400

_MOUNT = (
    "Plug in the disk, and mount it, for example by a line in /etc/fstab (nofail: the Pi also starts without it):\n"
    "  LABEL=recordings /media/recordings ext4 nofail,noatime 0 2\n"
    "Recording begins by itself when it is mounted."
)
_ABOUT = Subject("recordings", "What is recorded is written here; the stream does not depend on it.")


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder: free bytes, `flush` is the longest time in seconds to write and flush a chunk; `error` if that fails.

    `writable`: the unit lets the service write there. `is_card`: the disk is an SD card.
    """

    folder: str
    free: int = 0
    flush: float = 0.0
    error: str = ""
    writable: bool = True
    is_card: bool = False


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    settings = context.settings
    if settings.record.mode == "off" and not settings.record.timelapse:
        return [_ABOUT.ok("nothing is recorded (record.mode)")]
    folder = settings.record.folder
    path = Path(absolute(folder)) if folder else state_folder(settings.stream.state_dir) / "recordings"
    hidden = context.hides(str(path))
    if hidden is not None:
        fix = "Set record.folder to another folder, such as /srv/recordings, or one on a USB disk in /media or /mnt."
        return [_ABOUT.broken(f"the service does not see {path} ({hidden.option}=)", fix)]
    if missing := _missing_disk(str(path)):
        return [_ABOUT.broken(f"{path}: {missing}", _MOUNT)]
    may_write = not folder or _service_may_write(context, str(path))
    return [evaluate(read_folder(context.machine, path, chunk_size(settings), writable=may_write), settings)]


def bytes_a_day(settings: Settings) -> float:
    """Return how much a day of live video needs, at most."""
    video = 0.0 if settings.record.mode == "off" else chunk_size(settings) / CHUNK
    keyframe = settings.video.bitrate / 8 / settings.video.fps * _KEYFRAME
    timelapse = keyframe / settings.record.timelapse if settings.record.timelapse else 0.0
    return (video + timelapse) * _DAY


def _missing_disk(path: str) -> str:
    """Return why there is no disk, or none that the service's user can use."""
    try:
        return missing_disk(path)
    except PermissionError:
        return "the service's user may not open it: desktops mount disks for the user who is logged in only"
    except OSError as error:
        return error.strerror or str(error)


def chunk_size(settings: Settings) -> int:
    """Return the bytes that are written at once."""
    return round((settings.video.bitrate + _AUDIO_BITRATE) / 8 * CHUNK)


def read_folder(machine: Machine, folder: Path, size: int, *, writable: bool = True) -> FolderState:
    """Write chunks of `size` bytes into the folder for a few seconds, or into its nearest parent that exists."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    device = os.stat(existing).st_dev
    name = machine.read_text(f"sys/dev/block/{os.major(device)}:{os.minor(device)}/uevent")
    card = "DEVNAME=mmcblk" in name
    try:
        flush = _measure(existing, size)
        return FolderState(str(folder), shutil.disk_usage(existing).free, flush, "", writable, card)
    except OSError as error:
        return FolderState(str(folder), 0, 0.0, error.strerror or str(error), writable, card)


def evaluate(state: FolderState, settings: Settings) -> CheckResult:
    """Require a folder that can be written to, fast enough, with space for a day."""
    if state.error:
        return _ABOUT.broken(f"{state.folder} cannot be written to: {state.error}", _allow(state.folder))
    if not state.writable:
        return _ABOUT.broken(f"the service may not write to {state.folder} (ProtectSystem=)", _allow(state.folder))
    a_day = bytes_a_day(settings)
    space = max(0, state.free - settings.record.keep_free)
    found = f"{format_size(state.free)} free in {state.folder}, enough for {space / a_day:.1f} days of live video"
    found += f" ({format_size(round(a_day))} a day); {CHUNK:g} s of it are written in {state.flush:.2f} s at most"
    if state.flush > CHUNK:
        return _ABOUT.warning(found, "Use a faster disk, or lower video.bitrate.")
    if space < a_day:
        return _ABOUT.warning(found, "Free some space, or use a larger disk (record.folder).")
    if state.is_card:
        return _ABOUT.warning(
            f"{found}; it is an SD card, which recording wears out", "Use a USB disk (record.folder)."
        )
    return _ABOUT.ok(found)


def _measure(folder: Path, size: int) -> float:
    """Return the longest time in seconds to write and flush `size` bytes."""
    longest, data, end = 0.0, os.urandom(size), time.monotonic() + TEST_TIME
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        while (began := time.monotonic()) < end:
            file.seek(0)
            file.write(data)
            os.fdatasync(file.fileno())
            longest = max(longest, time.monotonic() - began)
    return longest


def _service_may_write(context: CheckContext, path: str) -> bool:
    """Return whether the unit's `ReadWritePaths=` contain the folder; true if these are not the service's settings."""
    if not context.service.installed or context.settings_file != context.service.settings_file:
        return True
    if contains(context.service.state_folder, path):
        return True
    paths = context.machine.run("systemctl", "show", "broadcaster.service", "--property=ReadWritePaths", "--value")
    if paths is None:
        return True
    found = [one.lstrip("-+") for one in (*paths.split(), paths.strip())]  # systemd does not quote spaces
    return any(contains(one, writable(path)) for one in found if one)


def _allow(folder: str) -> str:
    name = shlex.quote(folder)
    return (
        "Make the folder, and let the service write there; `sudo broadcaster install` does the same:\n"
        f"  sudo install -d -o broadcaster -g broadcaster {name}\n"
        f"  sudo mkdir -p {DROP_INS}\n"
        f"  printf '%s\\n' {shlex.join(drop_in(folder).splitlines())} | sudo tee {DROP_INS}/recordings.conf\n"
        "  sudo systemctl daemon-reload\n  sudo systemctl restart broadcaster"
    )
