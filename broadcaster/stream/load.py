"""When the machine cannot keep up with those who watch: first a lower bit rate, then no newcomers.

Those who watch are never sent away for it, and never wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass

INTERVAL = 1.0
"""Seconds between two looks."""

LATE = 0.1
"""Seconds by which the event loop is late half of the time: three pictures, which nobody fails to see."""

FAILING = 0.1
"""Share of packets that the kernel refuses, or lets wait for a full socket; a single viewer's lost network is over when
it is not heard any more."""

PATIENCE = 3
"""Looks in a row that must find strain: an encoder that starts, or a cron job, is not overload."""

RELIEF = 10
"""Looks in a row without strain after which newcomers are let in again."""


@dataclass(frozen=True, slots=True)
class LoadLook:
    """How late the loop was (seconds, median), the share of packets refused, and whether the rate can still fall."""

    late: float
    failing: float
    can_ease: bool


class LoadRule:
    """Steps once every `INTERVAL`; `overloaded` asks for a lower rate, `refuses` for no newcomers."""

    def __init__(self) -> None:
        self.overloaded = False
        self.refuses = False
        self._bad = 0
        self._good = 0

    def step(self, look: LoadLook) -> None:
        """Take one look. Where the rate can still fall, it falls first."""
        if look.late > LATE or look.failing > FAILING:
            self._bad, self._good = self._bad + 1, 0
        else:
            self._bad, self._good = 0, self._good + 1
        self.overloaded = self._bad >= PATIENCE
        if self.overloaded and not look.can_ease:
            self.refuses = True
        elif self._good >= RELIEF:
            self.refuses = False
