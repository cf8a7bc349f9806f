"""Which pictures a browser would show of the packets that it receives, and which packets it requests again."""

from __future__ import annotations

from dataclasses import dataclass, field

NACK_INTERVAL, MAX_NACKS = 0.1, 10
"""Seconds between two requests for a packet without a known round-trip time, and their maximum number (libwebrtc)."""
PLI_DELAY, PLI_INTERVAL = 3.0, 1.0
"""Seconds without a picture until a keyframe is requested, and between requests (libwebrtc's kMaxWaitForFrame)."""


@dataclass(slots=True)
class PictureReceiver:
    """Receives the packets of one video stream. Times are in seconds of any clock.

    A picture is shown when it is complete and follows the last one that was shown, or is a keyframe.
    """

    _packets: dict[int, tuple[bool, bool]] = field(default_factory=dict)
    """By unwrapped sequence number: whether the packet begins a keyframe, and whether it ends its picture."""
    _missing: dict[int, tuple[float, int]] = field(default_factory=dict)
    """By unwrapped sequence number, of packets that did not arrive: when they were requested, and how many times."""
    _next: int | None = None
    _highest: int | None = None
    _shown_at: float | None = None
    _pli_at: float = 0.0

    def add(self, sequence: int, *, begins_keyframe: bool, ends_picture: bool, now: float) -> int:
        """Take a packet, received for the first time or again; return how many pictures are shown thereupon."""
        number = self._unwrap(sequence)
        if self._next is not None and number < self._next:
            return 0
        self._packets[number] = begins_keyframe, ends_picture
        self._missing.pop(number, None)
        shown = 0
        while (end := self._decodable()) is not None:
            shown += 1
            self._next = end + 1
            self._packets = {number: packet for number, packet in self._packets.items() if number > end}
            self._missing = {number: requested for number, requested in self._missing.items() if number > end}
        if shown or self._shown_at is None:
            self._shown_at = now
        return shown

    def nacks(self, now: float) -> list[int]:
        """Return the sequence numbers of packets to request now."""
        due = [number for number, (requested, _) in self._missing.items() if now - requested >= NACK_INTERVAL]
        for number in due:
            count = self._missing.pop(number)[1] + 1
            if count < MAX_NACKS:
                self._missing[number] = now, count
        return sorted(number & 0xFFFF for number in due)

    def needs_keyframe(self, now: float) -> bool:
        """Return whether to request a keyframe now."""
        stuck = self._shown_at is not None and now - self._shown_at > PLI_DELAY
        if not stuck or now - self._pli_at < PLI_INTERVAL:
            return False
        self._pli_at = now
        return True

    def _unwrap(self, sequence: int) -> int:
        if self._highest is None:
            self._highest = sequence + (1 << 16)
            return self._highest
        number = self._highest + ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        for missing in range(self._highest + 1, number):
            self._missing[missing] = float("-inf"), 0
        self._highest = max(self._highest, number)
        return number

    def _decodable(self) -> int | None:
        """Return the last packet of the picture to show next, or of a later keyframe; None if neither is complete."""
        if self._next is not None and (end := self._end_of_picture(self._next)) is not None:
            return end
        keyframes = sorted(number for number, (begins_keyframe, _) in self._packets.items() if begins_keyframe)
        return next((end for start in keyframes if (end := self._end_of_picture(start)) is not None), None)

    def _end_of_picture(self, number: int) -> int | None:
        while (packet := self._packets.get(number)) is not None:
            if packet[1]:
                return number
            number += 1
        return None
