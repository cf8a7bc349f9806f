"""Runs aarch64 programs on this machine: the kernel passes them to qemu (binfmt_misc)."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_REGISTRY = Path("/proc/sys/fs/binfmt_misc")
_ENTRY = _REGISTRY / "qemu-aarch64"
_CONFIGURATION = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
"""Debian's configuration. With flag F the kernel opens qemu at registration, so that no tree needs a copy of it."""

_VARIABLE = "QEMU_CPU"
_CPU = "cortex-a72"
"""The Raspberry Pi 4's, which has no pointer authentication (FEAT_PAuth).

qemu-user's default CPU has it, and computes its cipher in software at each call and return of programs that are built
with it, as Debian's are since Trixie: Python takes six times as long.
"""


@contextlib.contextmanager
def aarch64() -> Iterator[None]:
    """Let the kernel run aarch64 programs inside the block; existing mounts and registrations are kept.

    Sets the emulated CPU for the processes that inherit this environment, unless it is set already.

    Raises `OSError` if the kernel has no binfmt_misc, or without root.
    """
    with contextlib.ExitStack() as undo:
        if _VARIABLE not in os.environ:
            os.environ[_VARIABLE] = _CPU
            undo.callback(os.environ.pop, _VARIABLE)
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
