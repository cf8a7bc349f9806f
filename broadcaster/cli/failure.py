"""Why the stream has failed, and the fix, in words for the owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from broadcaster.cli.target import Target
from broadcaster.doctor import failure
from broadcaster.errors import describe_reason


def problem(answer: dict[str, Any]) -> str:
    """Return why the stream has failed: in the daemon's words, or in ours if it shows only the reason."""
    return answer.get("problem") or describe_reason(_reason(answer))


def fix(answer: dict[str, Any], target: Target) -> str:
    """Return what to do about it."""
    return failure.fix(_reason(answer), target.settings.video, is_service=target.is_service)


def rows(answer: dict[str, Any], target: Target) -> Iterator[tuple[str, str]]:
    """Yield the rows of `broadcaster status` about a stream that has failed."""
    yield "Problem", problem(answer)
    first, *rest = fix(answer, target).splitlines()
    yield "Fix", first
    yield from (("", line) for line in rest)


def _reason(answer: dict[str, Any]) -> str:
    return str(answer["stream"].get("reason") or "")
