"""The viewer links that are known, and those that the owner has ended, across restarts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from msgspec import ValidationError, convert

from broadcaster.auth.links import Link
from broadcaster.storage.private_json import PrivateJson

MAX_LINKS = 1000
"""Links that are remembered, and as many that were ended; the oldest are forgotten first."""


class LinkList:
    """Links by id. `folder` is the state folder; None: the list ends with the daemon.

    A link is known once it was made by the daemon or used. It works without this list: its signature is what counts.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else PrivateJson(folder / "links", "the list of links")
        stored = {} if self._file is None else self._file.load()
        try:
            self._links = convert(stored.get("links", {}), dict[str, Link])
            self._ended = convert(stored.get("ended", {}), dict[str, bool])
        except ValidationError:
            self._links, self._ended = {}, {}

    def add(self, id: str, link: Link) -> None:
        """Remember a link that was made or used."""
        if id not in self._links:
            self._links[id] = link
            self._save()

    def end(self, id: str) -> None:
        """Remember that a link is no longer valid."""
        self._ended[id] = True
        self._save()

    def clear(self) -> None:
        """Forget all links, because their key is no longer valid."""
        self._links, self._ended = {}, {}
        self._save()

    def is_ended(self, id: str) -> bool:
        """Return whether the owner has ended this link."""
        return id in self._ended

    def valid(self, unix: float) -> dict[str, Link]:
        """Return the links that are neither ended nor expired, the newest last."""
        links = {id: link for id, link in self._links.items() if link.remaining(unix) > 0}
        return {id: link for id, link in links.items() if id not in self._ended}

    def _save(self) -> None:
        for entries in (self._links, self._ended):
            while len(entries) > MAX_LINKS:
                del entries[next(iter(entries))]
        if self._file is not None:
            self._file.save({"links": {id: asdict(link) for id, link in self._links.items()}, "ended": self._ended})
