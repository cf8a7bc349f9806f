"""The folder of recordings: used by one daemon at a time, and nothing but the recorder's own files is touched in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from broadcaster.errors import RecordError
from broadcaster.outputs.recording.names import parse
from broadcaster.storage.recordings.mounts import missing_disk

LOCK = ".broadcaster.lock"
CLIP_PART = ".clip.part"
"""A clip while it is being copied."""
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o640
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


class Folder:
    """The folder, which stays open: every name is looked up in it without following symbolic links.

    A folder that vanishes while the daemon runs is made again on the same disk only: where a disk was mounted there may
    be an empty folder of the SD card now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._lock = -1
        self._device: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether `open` has succeeded, and the folder is still where it was."""
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))
        except OSError:
            return False

    @property
    def is_locked(self) -> bool:
        """Whether the folder is this daemon's; otherwise it can be read only."""
        return self._lock >= 0

    def open(self) -> None:
        """Open the folder, which is made if there is none, and lock it, unless it cannot be written.

        Raises `RecordError` and OSError.
        """
        self.close()
        if missing := missing_disk(str(self.path)):
            raise RecordError(missing)
        is_new = not self.path.is_dir()
        self.path.mkdir(parents=self._device is None, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._check_disk(is_new=is_new)
            self.lock()
        except (OSError, RecordError) as error:
            if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
                return
            self.close()
            raise

    def lock(self) -> None:
        """Lock the folder, which is open. Raises `RecordError` if another daemon has done so, and OSError."""
        lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, **self._here)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise RecordError(f"another broadcaster records into {self.path}") from None
            raise
        self._lock = lock

    def check_writable(self) -> None:
        """Raise OSError if the folder is not locked: what cannot be locked is not written either."""
        if not self.is_locked:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def close(self) -> None:
        """Release the folder; idempotent."""
        for descriptor in (self._lock, self._descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        self._lock = self._descriptor = -1

    def names(self) -> list[str]:
        """Return the names of all recordings: regular files with a name that the recorder gives."""
        with os.scandir(self._descriptor) as entries:
            return [entry.name for entry in entries if parse(entry.name) and entry.is_file(follow_symlinks=False)]

    def everything(self) -> set[str]:
        """Return the names of all that is in the folder, recordings or not."""
        return set(os.listdir(self._descriptor))

    def create(self, name: str) -> int:
        """Return the descriptor of a new file."""
        return os.open(name, _NEW_FILE, _MODE, **self._here)

    def open_file(self, name: str, flags: int = os.O_RDWR) -> int:
        """Return the descriptor of a recording. Raises OSError, also if it is no regular file."""
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, **self._here)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(f"{name} is not a file")
        return descriptor

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        return os.stat(name, follow_symlinks=False, **self._here).st_size

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, **self._here)

    def rename(self, name: str, new: str) -> None:
        """Rename a file; never over another one. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            os.stat(new, follow_symlinks=False, **self._here)
            raise FileExistsError(f"{new} exists")
        os.rename(name, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def sync(self) -> None:
        """Flush the names to the disk; on file systems without this, such as some network ones, do nothing."""
        with contextlib.suppress(OSError):
            os.fsync(self._descriptor)

    def free(self) -> int:
        """Return the free space in bytes."""
        found = os.statvfs(self._descriptor)
        return found.f_bavail * found.f_frsize

    @property
    def _here(self) -> dict[str, int]:
        return {"dir_fd": self._descriptor}

    def _check_disk(self, *, is_new: bool) -> None:
        """Raise `RecordError` if another disk than before is there, and the recorder has never used it."""
        device = os.fstat(self._descriptor).st_dev
        if self._device in (None, device):
            self._device = device
            return
        if is_new:
            self.path.rmdir()
        if is_new or LOCK not in self.everything():
            raise RecordError(f"the disk with {self.path} is gone")
        self._device = device
