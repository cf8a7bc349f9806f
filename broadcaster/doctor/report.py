"""Results as text for a terminal of 80 columns, and as JSON. Pure."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from broadcaster.doctor.result import CheckResult, Level

WIDTH = 80
"""Columns of text; commands are never wrapped, so that they can be copied."""

_MARKS = {Level.OK: "ok", Level.WARNING: "warning", Level.BROKEN: "BROKEN"}
_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.BROKEN: "1;31"}
"""SGR (ECMA-48 §8.3.117): green, yellow, bold red."""
_MARK_WIDTH, _NAME_WIDTH = 9, 13
_NO_MARK = " " * _MARK_WIDTH
_INDENT = " " * (_MARK_WIDTH + _NAME_WIDTH)


def as_text(result: CheckResult, *, colour: bool) -> str:
    """Return the lines of one result; unless it is fine, with the reason and the fix."""
    mark = f"{_MARKS[result.level]:{_MARK_WIDTH}}"
    if colour:
        mark = f"\x1b[{_COLOURS[result.level]}m{mark}\x1b[0m"
    rows = _labelled(mark, result.what, _wrap(result.found))
    if result.level is not Level.OK:
        rows += _labelled(_NO_MARK, "  why", _wrap(result.why)) + _labelled(_NO_MARK, "  fix", _wrap_fix(result.fix))
    return "\n".join(rows)


def summary(results: Sequence[CheckResult]) -> str:
    """Return the last line of the report."""
    count = Counter(result.level for result in results)
    broken, warnings = count[Level.BROKEN], count[Level.WARNING]
    if not broken and not warnings:
        return f"{len(results)} checked: everything is fine."
    counted = f"{warnings} {'warning' if warnings == 1 else 'warnings'}"
    return f"{len(results)} checked: {broken or 'nothing'} broken, {counted}."


def as_json(result: CheckResult) -> str:
    """Return one line: an object with what, level (ok, warning, broken), found, why and fix."""
    return json.dumps(asdict(result), ensure_ascii=False)


def _labelled(mark: str, label: str, rows: list[str]) -> list[str]:
    """Put mark and label before the first row, and indent the others."""
    first, *others = rows
    return [f"{mark}{label:{_NAME_WIDTH}}{first}", *(f"{_INDENT}{row}" for row in others)]


def _wrap(paragraphs: str) -> list[str]:
    """Wrap paragraphs to rows, without breaking command options at their hyphens."""
    width = WIDTH - len(_INDENT)
    wrapper = textwrap.TextWrapper(width, break_on_hyphens=False, break_long_words=False)
    return [row for paragraph in paragraphs.splitlines() for row in wrapper.wrap(paragraph)] or [""]


def _wrap_fix(steps: str) -> list[str]:
    """Wrap all steps except commands, which start with two spaces."""
    return [row for step in steps.splitlines() for row in ([step] if step.startswith("  ") else _wrap(step))]
