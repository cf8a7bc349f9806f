"""Errors of the daemon as the commands print them."""

from __future__ import annotations

import pytest

from broadcaster.service.daemon_client import error_text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": "The recorder is off."}', "The recorder is off."),
        (b"Bad Gateway\n", "Bad Gateway"),
        (b'{"error": 5}', '{"error": 5}'),
        (b"[1]", "[1]"),
        (b"[" * 100_000, "[" * 100_000),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
def test_text_of_an_error(body: bytes, text: str) -> None:
    assert error_text(body) == text
