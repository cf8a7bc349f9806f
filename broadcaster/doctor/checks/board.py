"""Board and operating system."""

from __future__ import annotations

from broadcaster.devices.board import Board
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject

_BOARD = Subject("board", "It decides how pictures are encoded, and how large they may be.")
_SYSTEM = Subject("system", "There are no wheels with libx264 and libsrtp for 32-bit ARM.")


def probe(case: CheckContext) -> list[CheckResult]:
    """Both lines."""
    return [evaluate_board(case.board), evaluate_system(case.board, read_name(case.machine), read_kernel(case.machine))]


def read_name(machine: Machine) -> str:
    """What the system calls itself (os-release(5))."""
    values = dict(line.split("=", 1) for line in machine.text("etc/os-release").splitlines() if "=" in line)
    return values.get("PRETTY_NAME", "").strip('"') or "unknown system"


def read_kernel(machine: Machine) -> str:
    """The kernel's release."""
    return machine.text("proc/sys/kernel/osrelease") or "unknown"


def evaluate_board(board: Board) -> CheckResult:
    """Every board will do; which it is explains the rest."""
    memory = f", {in_words(board.memory)} of memory" if board.memory else ""
    encoder = "hardware H.264 encoder" if board.h264_encoder else "no hardware encoder: libx264"
    return _BOARD.ok(f"{board.name}{memory}, {encoder}")


def evaluate_system(board: Board, name: str, kernel: str) -> CheckResult:
    """It must be a 64-bit one."""
    if board.is_64_bit:
        return _SYSTEM.ok(f"{name}, 64 bit, kernel {kernel}")
    return _SYSTEM.broken(
        f"{name}, 32 bit, kernel {kernel}",
        "Write Raspberry Pi OS Lite (64-bit) to the card with Raspberry Pi Imager and install again.",
    )


def in_words(size: int) -> str:
    """Bytes as people write them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
