"""Prints a summary of the films at the end of a run."""

from __future__ import annotations

from collections import Counter

import pytest

OUTCOME = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOME] = Counter()


@pytest.fixture
def outcome(request: pytest.FixtureRequest) -> Counter[str]:
    """Number of films so far, by outcome."""
    return request.config.stash[OUTCOME]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash[OUTCOME]
    if not counts["made"]:
        return
    played, refused = counts["played"], counts["refused"]
    line = f"{counts['made']} files: {played} as ffmpeg's, {refused} refused with a clear sentence"
    wrong = counts["made"] - played - refused
    terminalreporter.write_line(line + (f", {wrong} wrong" if wrong else ""))
