"""One word for one thing: the glossary's, and none of its synonyms."""

import re

import pytest

from tests.house.project import ROOT

SYNONYMS = {
    "spectator": "viewer",
    "audience": "viewers",
    "key frame": "keyframe",
    "key-frame": "keyframe",
    "i-frame": "keyframe",
    "nalu": "NAL unit",
    "livestream": "stream",
    "keepalive": "heartbeat",
    "keep-alive": "heartbeat",
    "tally light": "tally lamp",
    "led": "tally lamp",
}
# Alone, not as part of another name such as `Keep-Alive-Timeout` or `ledger`.
PATTERN = re.compile(rf"(?<![\w-])({'|'.join(SYNONYMS)})s?(?![\w-])", re.IGNORECASE)
FILES = sorted([*(ROOT / "broadcaster").rglob("*.py"), *(ROOT / "viewer").glob("*.mjs")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_synonyms_are_not_used(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [(number, word) for number, line in enumerate(lines, 1) for word in PATTERN.findall(line)]
    assert not [f"line {number}: {word}: say {SYNONYMS[word.lower()]}" for number, word in found]
