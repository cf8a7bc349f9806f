"""Board and operating system."""

from __future__ import annotations

from broadcaster.devices.board import Board
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject

_BOARD = Subject("board", "The board decides how video is encoded, and at which resolution.")
_SYSTEM = Subject("system", "There are no wheels with libx264 and libsrtp for 32-bit ARM.")


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the results for board and system."""
    system = evaluate_system(context.board, read_name(context.machine), read_kernel(context.machine))
    return [evaluate_board(context.board), system]


def read_name(machine: Machine) -> str:
    """Return the name of the operating system (os-release(5))."""
    values = dict(line.split("=", 1) for line in machine.read_text("etc/os-release").splitlines() if "=" in line)
    return values.get("PRETTY_NAME", "").strip('"') or "unknown system"


def read_kernel(machine: Machine) -> str:
    """Return the kernel's release."""
    return machine.read_text("proc/sys/kernel/osrelease") or "unknown"


def evaluate_board(board: Board) -> CheckResult:
    """Describe the board; every board is fine."""
    memory = f", {format_size(board.memory)} of memory" if board.memory else ""
    encoder = "hardware H.264 encoder" if board.h264_encoder else "no hardware encoder (libx264 is used)"
    return _BOARD.ok(f"{board.name}{memory}, {encoder}")


def evaluate_system(board: Board, name: str, kernel: str) -> CheckResult:
    """Require a 64-bit system."""
    if board.is_64_bit:
        return _SYSTEM.ok(f"{name}, 64-bit, kernel {kernel}")
    return _SYSTEM.broken(
        f"{name} is a 32-bit system (kernel {kernel}), but a 64-bit one is needed",
        "Write Raspberry Pi OS Lite (64-bit) to the card with Raspberry Pi Imager, and install the broadcaster again.",
    )


def format_size(size: int) -> str:
    """Return a number of bytes as MB or GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
