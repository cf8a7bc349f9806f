"""`broadcaster links`: list the viewer links of the running daemon, and end one or all."""

from __future__ import annotations

import json

from broadcaster.cli.owner import start_command, table
from broadcaster.cli.target import Target
from broadcaster.errors import BroadcasterError
from broadcaster.model.quantities import duration_text
from broadcaster.service.daemon_client import NoDaemon

_COLUMNS = ("ID", "NAME", "ENDS IN")


def list_links(target: Target, now: float, *, as_json: bool) -> str:
    """Return the valid links as a table or as JSON. Raises `BroadcasterError`."""
    with start_command(target):
        answer = target.client.links()
        if not isinstance(answer, dict) or not isinstance(answer.get("links"), list):
            raise NoDaemon(f"the server at {target.client.url} is not a broadcaster with an owner's page")
    if as_json:
        return json.dumps(answer["links"], indent=2, ensure_ascii=False)
    if not answer["needed"]:
        return "Viewers need no link (web.links is false)."
    rows = [
        (link["id"], link["name"] or "-", duration_text(max(0.0, link["expires"] - now))) for link in answer["links"]
    ]
    return table([_COLUMNS, *rows]) if rows else "No links."


def end(target: Target, link: str) -> str:
    """End a link, or all if `link` is empty, and return a message. Raises `BroadcasterError`."""
    with start_command(target):
        answer = target.client.end_links(link)
    ended = answer.get("ended") if isinstance(answer, dict) else None
    if not isinstance(ended, list):
        raise BroadcasterError(f"the server at {target.client.url} is not a broadcaster with an owner's page")
    return f"Ended link {link}." if link else f"Ended all links, of which {len(ended)} were listed."
