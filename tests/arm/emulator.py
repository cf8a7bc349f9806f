"""Runs aarch64 programs on this machine: the kernel passes them to qemu (binfmt_misc)."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

_REGISTRY = Path("/proc/sys/fs/binfmt_misc")
_ENTRY = _REGISTRY / "qemu-aarch64"
_CONFIGURATION = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
"""Debian's configuration. With flag F the kernel opens qemu at registration, so that no tree needs a copy of it."""


@contextlib.contextmanager
def aarch64() -> Iterator[None]:
    """Let the kernel run aarch64 programs inside the block; existing mounts and registrations are kept.

    Raises `OSError` if the kernel has no binfmt_misc, or without root.
    """
    with contextlib.ExitStack() as undo:
        if not (_REGISTRY / "register").exists():
            subprocess.run(["modprobe", "--quiet", "binfmt_misc"], check=False)
            mounted = subprocess.run(["mount", "-t", "binfmt_misc", "none", str(_REGISTRY)], check=False)
            if mounted.returncode:
                raise OSError("this kernel has no binfmt_misc")
            undo.callback(subprocess.run, ["umount", str(_REGISTRY)], check=True)
        if not _ENTRY.exists():
            (_REGISTRY / "register").write_bytes(_CONFIGURATION.read_bytes().strip())
            undo.callback(_ENTRY.write_text, "-1")
        yield
