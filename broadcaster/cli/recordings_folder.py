"""Prepares `record.folder` for the service: run as root by systemd/install.sh, with the settings file and the drop-in.

The sandbox lets the service write to its state folder only (`ProtectSystem=strict`). For any other folder, a drop-in of
the unit allows it, and the folder is created with the service's user as its owner.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
from pathlib import Path

from broadcaster.outputs.recording.names import parse
from broadcaster.sandbox import contains, drop_in
from broadcaster.settings import read
from broadcaster.settings.paths import absolute
from broadcaster.storage.recordings.folder import LOCK
from broadcaster.storage.recordings.index import FILE
from broadcaster.storage.recordings.mounts import missing_disk

STATE = "/var/lib/broadcaster"
USER = "broadcaster"
_MODE = 0o750
_NOT_VISIBLE = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""Folders that `ProtectHome=` and `PrivateTmp=` hide from the service."""


def prepare(setting: str, file: Path, user: str = USER, state: str = STATE) -> str:
    """Write or remove the drop-in for `record.folder`, and create the folder; return what the owner should know.

    Raises OSError.
    """
    folder = absolute(setting)
    if not folder or contains(state, folder):
        _remove(file)
        _give(folder or f"{state}/recordings", user)
        return ""
    if any(contains(hidden, folder) for hidden in _NOT_VISIBLE):
        _remove(file)
        return f"record.folder = {folder}: the service cannot see it; choose another folder, such as /srv/recordings"
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    file.write_text(drop_in(folder), "utf-8")
    file.chmod(0o644)
    return _create(folder, user)


def _create(folder: str, user: str) -> str:
    """Create the folder if there is none; return what is wrong with it, if anything."""
    if missing := missing_disk(folder):
        return f"record.folder = {folder}: {missing}. Recording begins when it is mounted"
    is_new = not os.path.isdir(folder)
    try:
        os.makedirs(folder, _MODE, exist_ok=True)
        _give(folder, user, is_new=is_new)
        owner = pwd.getpwnam(user)
        if not _may_write(folder, owner):
            return f"record.folder = {folder}: {user} may not write there; make it the owner: chown {user}: {folder}"
    except PermissionError:
        return f"record.folder = {folder}: its disk has no owners of files; mount it with the option uid={user}"
    return ""


def _give(folder: str, user: str, *, is_new: bool = False) -> None:
    """Make the user own a folder and the recordings in it: if it is new, or was used before an uninstallation."""
    if not is_new and not os.path.exists(f"{folder}/{LOCK}"):
        return
    uid, gid = pwd.getpwnam(user)[2:4]
    os.chown(folder, uid, gid)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == LOCK or entry.name.startswith(FILE) or parse(entry.name):
                os.chown(entry.path, uid, gid, follow_symlinks=False)


def _may_write(folder: str, owner: pwd.struct_passwd) -> bool:
    """Return whether the permissions let a user create files in a folder; root always may."""
    found = os.stat(folder)
    if owner.pw_uid in (0, found.st_uid):
        bit = stat.S_IWUSR if owner.pw_uid else 0
    elif found.st_gid in os.getgrouplist(owner.pw_name, owner.pw_gid):
        bit = stat.S_IWGRP
    else:
        bit = stat.S_IWOTH
    return found.st_mode & bit == bit


def _remove(file: Path) -> None:
    """Remove the drop-in, and its folder unless there are others in it."""
    file.unlink(missing_ok=True)
    if file.parent.is_dir() and not any(file.parent.iterdir()):
        file.parent.rmdir()


def main() -> None:
    """Print a message for the owner, if there is one."""
    settings_file, file = sys.argv[1:]
    try:
        settings = read(Path(settings_file).read_text("utf-8"))
        message = prepare(settings.record.folder, Path(file))
    except OSError as error:
        message = f"record.folder: {error}"
    if message:
        print(message)


if __name__ == "__main__":
    main()
