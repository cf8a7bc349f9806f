"""What aiohttp says about requests: a line at most, and a traceback only for bugs, however often they happen.

Its messages quote what could not be parsed, and that may be a cookie, a token or a password: only the kind is logged.
"""

from __future__ import annotations

import logging

from aiohttp import http_exceptions

from broadcaster.rate_limited_log import RateLimitedLogger


def http_logger(outside: RateLimitedLogger) -> logging.Logger:
    """Return the logger for aiohttp's server, which hands everything on to `outside`."""

    def hand_on(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, http_exceptions.HttpProcessingError):
            outside.info("http", f"refused a malformed request ({type(error).__name__})")
        elif not isinstance(error, ConnectionError):  # who has gone is no news
            outside.error("http server", record.getMessage(), error)
        return False

    logger = logging.Logger("broadcaster.web.http", logging.WARNING)
    logger.addFilter(hand_on)
    return logger
