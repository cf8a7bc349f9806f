"""The tables of faults and bad input in `tests/README.md`: what was measured stands beside what is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, and what must be true when it happens; in words."""

    fault: str
    asked: str


Rows = Mapping[str, Row]
Figures = Mapping[str, Sequence[str]]


def with_figures(text: str, name: str, rows: Rows, figures: Figures, command: str = "make test-faults") -> str:
    """The README `text`, with the figures of `command` in the table between the comments of that name.

    What this run did not measure keeps the figure that stands there.
    """
    begin, end = f"<!-- {name}: written by {command} -->\n", f"<!-- end of {name} -->"
    before, inside, after = _cut(text, begin, end)
    known = _read(inside)
    lines = ["| | fault | asked | measured |", "|---|---|---|---|"]
    for key, row in rows.items():
        said = "; ".join(figures[key]) if figures.get(key) else known.get(key, "not measured yet")
        lines.append(f"| {key} | {_cell(row.fault)} | {_cell(row.asked)} | {_cell(said)} |")
    return before + begin + "\n".join(lines) + "\n" + end + after


def _cut(text: str, begin: str, end: str) -> tuple[str, str, str]:
    before, found, rest = text.partition(begin)
    inside, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the README has no {begin.strip()} … {end}")
    return before, inside, after


def _read(table: str) -> dict[str, str]:
    """Key and figure of each row that stands there."""
    rows = [re.split(r"(?<!\\)\|", line) for line in table.splitlines()]
    return {row[1].strip(): row[-2].strip().replace(r"\|", "|") for row in rows}


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
