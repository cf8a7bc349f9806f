"""What the viewers of a crowd received."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CrowdStats:
    """What all viewers of a crowd received; `fewest` is the lowest packet count of one viewer, times are in ms.

    `overflows` counts packets that the kernel dropped meanwhile at full sockets of any receiver on the machine: viewers
    that get too little CPU time have gaps that the sender did not cause.
    """

    packets: int
    fewest: int
    gaps: int
    overflows: int
    keyframe_p50: float
    keyframe_p95: float
    failures: dict[str, int]

    @property
    def gap_summary(self) -> str:
        """The gaps as text."""
        text = f"{self.gaps} in {self.packets} packets"
        text += f" ({self.overflows} dropped at full sockets of receivers)" if self.overflows else ""
        return text + (f", failures {self.failures}" if self.failures else "")
