"""Reads the short text messages that a player sends all the time, without the cost of a whole WebSocket reader."""

from __future__ import annotations

_TEXT = 0x81
"""First byte of an unfragmented text message (RFC 6455 §5.2)."""
_MASKED = 0x80
_MAX_SHORT = 125
"""Bytes of the payload of a frame with the shortest header."""
_HEADER = 6


class ShortTexts:
    """Splits a byte stream into short text messages; anything else in it ends this for good.

    `rest` then holds what the general reader has to go on with, beginning with a whole frame; None until then.
    """

    def __init__(self) -> None:
        self.rest: bytes | None = None
        self._buffer = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads of the messages that are complete with `data`."""
        data = self._buffer + data
        payloads: list[bytes] = []
        start = 0
        while len(data) - start >= 2:
            size = data[start + 1] - _MASKED
            if data[start] != _TEXT or not 0 <= size <= _MAX_SHORT:
                self.rest = data[start:]
                return payloads
            end = start + _HEADER + size
            if len(data) < end:
                break
            payloads.append(_unmask(data[start + 2 : start + _HEADER], data[start + _HEADER : end]))
            start = end
        self._buffer = data[start:]
        return payloads


def _unmask(key: bytes, payload: bytes) -> bytes:
    """Return a payload without its mask (RFC 6455 §5.3)."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
