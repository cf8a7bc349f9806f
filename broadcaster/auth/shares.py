"""Shares of recordings: signed addresses that give one range of time, or one file, to whoever has them, until they end.

They are signed with the key of viewers' links, so that a new key revokes them, too. The daemon keeps no list of them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from broadcaster.auth.signing import signed, verified

_PURPOSE = b"broadcaster recording share 1\n"
_FIELDS = struct.Struct("!QQQII")


@dataclass(frozen=True, slots=True)
class Share:
    """What is shared: what was captured from `start` to `end`, or with a `number`, the recording that began at `start`.

    Numbers are used again after the last recording was deleted, so a number alone is not enough. `start` and `end` are
    in milliseconds of Unix time, `created` is in Unix seconds, and `seconds` is how long the share lasts.
    """

    created: int
    seconds: int
    start: int = 0
    end: int = 0
    number: int = 0

    def remaining(self, unix: float) -> float:
        """Return the seconds until it ends, at most all of them, so that a slow clock cannot prolong it."""
        return min(self.created + self.seconds - unix, float(self.seconds))


def sign_share(share: Share, key: str) -> str:
    """Return the text of a share for its address."""
    content = _FIELDS.pack(share.number, share.start, share.end, share.created, share.seconds)
    return signed(content, _PURPOSE, key)


def read_share(text: str, key: str) -> Share | None:
    """Return the share of a text; None if it was not signed with `key`."""
    content = verified(text, _PURPOSE, key)
    if content is None or len(content) != _FIELDS.size:
        return None
    number, start, end, created, seconds = _FIELDS.unpack(content)
    return Share(created, seconds, start, end, number)
