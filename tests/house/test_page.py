"""The page's JavaScript: its own tests, and the names of the signaling protocol, which must match Python's."""

import re
import shutil
import subprocess
from typing import get_args

import pytest

from broadcaster.errors import StreamReason
from broadcaster.model.stream import AudioState, Quality, QualityPreference, StreamState
from broadcaster.signaling.messages import VIEWER_MESSAGES, DaemonMessage
from broadcaster.signaling.protocol import SUBPROTOCOL, ByeReason, CloseCode, ErrorCode, RestartReason
from tests.house.project import ROOT, read

PAGE = read("viewer/protocol.mjs")
TYPES = read("viewer/types.d.ts")
NODE_TESTS = sorted((ROOT / "tests/viewer").glob("*.mjs"))


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; `make test` installs it")
def test_node_tests_pass():
    """`node --test`, run here so that `pytest` alone runs everything."""
    assert NODE_TESTS
    result = subprocess.run(["node", "--test", *NODE_TESTS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("STREAM_STATES", StreamState),
        ("SOUND", AudioState),
        ("QUALITIES", Quality),
    ],
)
def test_constants_are_the_same_on_both_sides(name, values):
    assert _strings(_constant(name, "[", "]")) == set(values)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ViewerMessage", VIEWER_MESSAGES),
        ("StreamReason", StreamReason),
        ("ByeReason", ByeReason),
        ("ErrorCode", ErrorCode),
        ("RestartReason", RestartReason),
        ("Quality", Quality),
        ("QualityPreference", set(QualityPreference) - set(Quality)),  # it names `Quality` for the rest
    ],
)
def test_types_are_the_same_on_both_sides(name, values):
    declaration = re.search(rf"^type {name} =([^;]*);", TYPES, re.MULTILINE)
    assert declaration, f"viewer/types.d.ts declares no {name}"
    assert _strings(declaration[1]) == set(values)


def test_page_reads_every_message_of_the_daemon():
    fields = re.search(r"^const FIELDS = \{\n(.*?)^\};", PAGE, re.DOTALL | re.MULTILINE)
    assert fields
    assert set(re.findall(r"^  (\w+):", fields[1], re.MULTILINE)) == {
        message.__struct_config__.tag for message in get_args(DaemonMessage)
    }


def test_close_codes_are_the_same_on_both_sides():
    block = _constant("CLOSE_CODES", "{", "}")
    assert {int(code) for code in re.findall(r"(\d+):", block)} == set(CloseCode)


def test_subprotocol_is_the_same_on_both_sides():
    assert f'export const SUBPROTOCOL = "{SUBPROTOCOL}";' in PAGE


def _strings(text: str) -> set[str]:
    return set(re.findall(r'"([^"]+)"', text))


def _constant(name: str, start: str, end: str) -> str:
    """The text between the brackets of an exported constant."""
    constant = re.search(rf"export const {name} = \{start}(.*?)\{end}", PAGE, re.DOTALL)
    assert constant, f"viewer/protocol.mjs exports no {name}"
    return constant[1]
