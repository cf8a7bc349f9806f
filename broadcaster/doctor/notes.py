"""What the daemon's own parts log while they are tried: what they choose, and why."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def notes_of(name: str) -> Iterator[list[str]]:
    """The lines that loggers below `name` would write to the daemon's log meanwhile; here they go nowhere else."""
    said: list[str] = []
    logger = logging.getLogger(name)
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [_Collector(said)], False
    logger.setLevel(logging.INFO)
    try:
        yield said
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])


class _Collector(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.INFO)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())
