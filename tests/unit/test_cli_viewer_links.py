"""`broadcaster links`, with given answers of the daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broadcaster.cli import viewer_links
from broadcaster.cli.target import Target
from broadcaster.errors import BroadcasterError
from broadcaster.service.daemon_client import DaemonClient
from broadcaster.settings import Settings

ANNA = {"id": "4f2a", "name": "安娜 Anna", "made": 1000, "expires": 8200, "token": "t"}
UNNAMED = {"id": "77", "name": "", "made": 1000, "expires": 1030, "token": "u"}


class Requests:
    """The requests of the command, and the answer to all of them."""

    def __init__(self) -> None:
        self.sent: list[tuple[str | None, str]] = []
        self.answer: object = {"needed": True, "links": [ANNA, UNNAMED]}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Requests:
    made = Requests()

    def request(self: DaemonClient, path: str, body: object, timeout: float = 0, method: str | None = None) -> Any:
        made.sent.append((method, path))
        return made.answer

    monkeypatch.setattr(DaemonClient, "_request", request)
    return made


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(Settings(), tmp_path, is_service=False)


def test_links_are_listed(requests: Requests, target: Target) -> None:
    assert viewer_links.list_links(target, 1000.0, as_json=False).splitlines() == [
        "ID    NAME     ENDS IN",
        "4f2a  安娜 Anna  2 h",
        "77    -        30 s",
    ]
    assert json.loads(viewer_links.list_links(target, 1000.0, as_json=True)) == [ANNA, UNNAMED]
    requests.answer = {"needed": True, "links": []}
    assert viewer_links.list_links(target, 1000.0, as_json=False) == "No links."


def test_links_are_ended(requests: Requests, target: Target) -> None:
    requests.answer = {"ended": ["4f2a"]}
    assert viewer_links.end(target, "4f/2a") == "Ended link 4f/2a."
    assert viewer_links.end(target, "") == "Ended all links, of which 1 were listed."
    assert requests.sent == [("DELETE", "api/owner/links/4f%2F2a"), ("DELETE", "api/owner/links")]


@pytest.mark.parametrize("answer", [[], {}, {"links": 5}, "x"])
def test_another_program_answers(requests: Requests, target: Target, answer: object) -> None:
    requests.answer = answer
    with pytest.raises(BroadcasterError, match=r"not a broadcaster"):
        viewer_links.list_links(target, 1000.0, as_json=False)
    with pytest.raises(BroadcasterError, match=r"not a broadcaster"):
        viewer_links.end(target, "x")
