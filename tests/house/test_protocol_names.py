"""The names of the signaling protocol are one set in Python and in the page's JavaScript."""

import re

import pytest

from broadcaster.signaling.messages import VIEWER_MESSAGES
from broadcaster.signaling.replies import DAEMON_MESSAGES
from broadcaster.signaling.words import (
    SUBPROTOCOL,
    ByeReason,
    CloseCode,
    ErrorCode,
    RestartReason,
    Sound,
    StreamReason,
    StreamState,
)
from tests.house.project import read

PAGE = read("viewer/protocol.mjs")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TO_DAEMON", VIEWER_MESSAGES),
        ("FROM_DAEMON", DAEMON_MESSAGES),
        ("STREAM_STATES", StreamState),
        ("STREAM_REASONS", StreamReason),
        ("SOUND", Sound),
        ("BYE_REASONS", ByeReason),
        ("ERROR_CODES", ErrorCode),
        ("RESTART_REASONS", RestartReason),
    ],
)
def test_a_set_of_words_is_the_same_on_both_sides(name, words):
    assert _constant(name, "[", "]") == set(words)


def test_close_codes_are_the_same_on_both_sides():
    block = _block("CLOSE_CODES", "{", "}")
    assert {int(code) for code in re.findall(r"(\d+):", block)} == set(CloseCode)


def test_the_subprotocol_is_the_same_on_both_sides():
    assert f'export const SUBPROTOCOL = "{SUBPROTOCOL}";' in PAGE


def _constant(name: str, start: str, end: str) -> set[str]:
    return set(re.findall(r'"([^"]+)"', _block(name, start, end)))


def _block(name: str, start: str, end: str) -> str:
    """What stands between the brackets of one exported constant."""
    found = re.search(rf"export const {name} = \{start}(.*?)\{end}", PAGE, re.DOTALL)
    assert found, f"viewer/protocol.mjs exports no {name}"
    return found[1]
