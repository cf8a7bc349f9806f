"""Whether the disk of a folder is there: a folder in /media or /mnt must be on a disk that is mounted there.

Without this rule, recordings would fill the SD card below the mount point while the USB disk is not plugged in.
"""

from __future__ import annotations

import os
from pathlib import Path

from broadcaster.sandbox import disk_folder_of


def missing_disk(path: str) -> str:
    """Return why an absolute path is not on the disk that should be there, or "" if it is. Raises OSError."""
    root = disk_folder_of(path)
    if root is None:
        return ""
    existing = next(folder for folder in (Path(path), *Path(path).parents) if folder.is_dir())
    # Devices are compared, not mounts: systemd makes mounts of the SD card's own folders in the service's sandbox.
    if existing.stat().st_dev != os.stat(os.path.dirname(root)).st_dev:
        return ""
    return f"no disk is mounted there; a folder in {root} must be on one"
