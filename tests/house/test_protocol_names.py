"""The names of the signaling protocol are one set in Python and in the page's JavaScript."""

import re
from typing import get_args

import pytest

from broadcaster.errors import StreamReason
from broadcaster.model.stream import AudioState, StreamState
from broadcaster.signaling.messages import VIEWER_MESSAGES, DaemonMessage
from broadcaster.signaling.protocol import SUBPROTOCOL, ByeReason, CloseCode, ErrorCode, RestartReason
from tests.house.project import read

PAGE = read("viewer/protocol.mjs")
TYPES = read("viewer/types.d.ts")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("STREAM_STATES", StreamState),
        ("SOUND", AudioState),
    ],
)
def test_a_set_of_words_is_the_same_on_both_sides(name, words):
    assert _words(_block(name, "[", "]")) == set(words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ViewerMessage", VIEWER_MESSAGES),
        ("StreamReason", StreamReason),
        ("ByeReason", ByeReason),
        ("ErrorCode", ErrorCode),
        ("RestartReason", RestartReason),
    ],
)
def test_a_type_of_words_is_the_same_on_both_sides(name, words):
    found = re.search(rf"^type {name} =([^;]*);", TYPES, re.MULTILINE)
    assert found, f"viewer/types.d.ts has no {name}"
    assert _words(found[1]) == set(words)


def test_the_page_reads_all_that_the_daemon_sends():
    found = re.search(r"^const FIELDS = \{\n(.*?)^\};", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    assert set(re.findall(r"^  (\w+):", found[1], re.MULTILINE)) == {
        message.__struct_config__.tag for message in get_args(DaemonMessage)
    }


def test_close_codes_are_the_same_on_both_sides():
    block = _block("CLOSE_CODES", "{", "}")
    assert {int(code) for code in re.findall(r"(\d+):", block)} == set(CloseCode)


def test_the_subprotocol_is_the_same_on_both_sides():
    assert f'export const SUBPROTOCOL = "{SUBPROTOCOL}";' in PAGE


def _words(text: str) -> set[str]:
    return set(re.findall(r'"([^"]+)"', text))


def _block(name: str, start: str, end: str) -> str:
    """What stands between the brackets of one exported constant."""
    found = re.search(rf"export const {name} = \{start}(.*?)\{end}", PAGE, re.DOTALL)
    assert found, f"viewer/protocol.mjs exports no {name}"
    return found[1]
