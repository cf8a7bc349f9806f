"""Tables in `tests/README.md` that hold what was measured beside what is required."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEADER = ("| | fault | required | measured |", "|---|---|---|---|")


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, and what must hold when it happens."""

    fault: str
    required: str


Rows = Mapping[str, Row]
Results = Mapping[str, Sequence[str]]
"""The measured texts by the row's key."""


def with_results(text: str, name: str, rows: Rows, results: Results, command: str = "make test-faults") -> str:
    """Return the README `text` with `results` of `command` in the table between the comments for `name`.

    Rows without a new result keep their text. Raises `ValueError` if the comments are missing.
    """
    begin, end = f"<!-- {name}: written by {command} -->\n", f"<!-- end of {name} -->"
    before, inside, after = _partition(text, begin, end)
    previous = _read(inside)
    lines = [*HEADER]
    for key, row in rows.items():
        measured = "; ".join(results[key]) if results.get(key) else previous.get(key, "not measured yet")
        lines.append(f"| {key} | {_cell(row.fault)} | {_cell(row.required)} | {_cell(measured)} |")
    return before + begin + "\n".join(lines) + "\n" + end + after


def _partition(text: str, begin: str, end: str) -> tuple[str, str, str]:
    before, opening, rest = text.partition(begin)
    inside, closing, after = rest.partition(end)
    if not opening or not closing:
        raise ValueError(f"README has no {begin.strip()} … {end}")
    return before, inside, after


def _read(table: str) -> dict[str, str]:
    """Return the measured text of each row in the table, by key."""
    rows = [re.split(r"(?<!\\)\|", line) for line in table.splitlines()]
    return {row[1].strip(): row[-2].strip().replace(r"\|", "|") for row in rows}


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
