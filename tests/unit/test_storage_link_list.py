"""The list of links in the state folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcaster.auth.links import Link
from broadcaster.storage import link_list
from broadcaster.storage.link_list import LinkList

NOW = 1_800_000_000


def test_links_and_ended_ones_survive_a_restart(tmp_path: Path) -> None:
    links = LinkList(tmp_path)
    for id, seconds in (("a", 100), ("b", 200), ("c", 300)):
        links.add(id, Link(id, NOW, seconds))
    links.end("b")
    again = LinkList(tmp_path)
    assert list(again.valid(NOW)) == ["a", "c"]
    assert list(again.valid(NOW + 150)) == ["c"]
    assert (again.is_ended("b"), again.is_ended("c")) == (True, False)
    again.clear()
    assert not LinkList(tmp_path).valid(NOW)


def test_link_that_is_used_again_is_not_written_again(tmp_path: Path) -> None:
    links = LinkList(tmp_path)
    links.add("a", Link("a", NOW, 100))
    (tmp_path / "links").unlink()
    links.add("a", Link("a", NOW, 100))
    assert not (tmp_path / "links").exists()


def test_number_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_list, "MAX_LINKS", 3)
    links = LinkList(tmp_path)
    for number in range(5):
        links.add(str(number), Link("", NOW, 100))
        links.end(f"ended {number}")
    assert list(links.valid(NOW)) == ["2", "3", "4"]
    assert [links.is_ended(f"ended {number}") for number in range(5)] == [False, False, True, True, True]


@pytest.mark.parametrize("content", ["{", "[]", '{"links": 3}', '{"ended": {"a": 1}}', '{"links": {"a": {}}}'])
def test_invalid_file_is_ignored(content: str, tmp_path: Path) -> None:
    (tmp_path / "links").write_text(content)
    assert LinkList(tmp_path).valid(NOW) == {}
