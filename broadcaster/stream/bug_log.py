"""Log of bugs, that is, unexpected exceptions: each kind is logged once with its traceback, and all are counted."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

MAX_KINDS = 100
"""Kinds to remember; bugs of further kinds are only counted, so that neither the log nor this set grows without end."""

_Kind = tuple[type[BaseException], str, int]


class BugLog:
    """Counts unexpected exceptions in `count`, and logs the first of each kind.

    Two exceptions are of one kind if they have the same type and were raised by the same line of code. Use it on the
    event loop's thread only.
    """

    def __init__(self) -> None:
        self.count = 0
        self._known: set[_Kind] = set()

    def add(self, where: str, error: BaseException) -> None:
        """Count an exception; `where` names the thread or task that it escaped from."""
        self.count += 1
        kind = _kind_of(error)
        if kind in self._known or len(self._known) >= MAX_KINDS:
            log.debug("internal error again in %s: %s: %s", where, type(error).__name__, error)
            return
        self._known.add(kind)
        log.error(
            "internal error in %s; please report it (it is logged once, then only counted)", where, exc_info=error
        )


def _kind_of(error: BaseException) -> _Kind:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error), "", 0
    return type(error), trace.tb_frame.f_code.co_filename, trace.tb_lineno
