"""The lines as people read them at 80 columns, and as programs do. Pure."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from broadcaster.doctor.result import CheckResult, Level

WIDTH = 80
"""Columns of a terminal by old custom; commands to type are never broken."""

_MARKS = {Level.OK: "ok", Level.WARNING: "look", Level.BROKEN: "BROKEN"}
_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.BROKEN: "1;31"}
"""SGR (ECMA-48 §8.3.117): green, yellow, bold red."""
_MARK, _WHAT = 8, 13
_ASIDE = " " * _MARK
_INDENT = " " * (_MARK + _WHAT)


def text(line: CheckResult, *, colour: bool) -> str:
    """One line, and below it, unless all is fine, why it matters and what to do."""
    mark = f"{_MARKS[line.level]:{_MARK}}"
    if colour:
        mark = f"\x1b[{_COLOURS[line.level]}m{mark}\x1b[0m"
    rows = _labelled(mark, line.what, _wrapped(line.found))
    if line.level is not Level.OK:
        rows += _labelled(_ASIDE, "  why", _wrapped(line.why)) + _labelled(_ASIDE, "  do", _fix(line.fix))
    return "\n".join(rows)


def summary(lines: Sequence[CheckResult]) -> str:
    """How it ends, in one sentence."""
    count = Counter(line.level for line in lines)
    if count[Level.BROKEN]:
        also = f", {count[Level.WARNING]} more to look at" if count[Level.WARNING] else ""
        return f"{count[Level.BROKEN]} of {len(lines)} broken{also}."
    if count[Level.WARNING]:
        return f"Nothing is broken; {count[Level.WARNING]} of {len(lines)} to look at."
    return f"All {len(lines)} are fine."


def as_json(lines: Iterable[CheckResult]) -> str:
    """A list of objects: what, level (ok, warning, broken), found, why, fix."""
    return json.dumps([asdict(line) for line in lines], ensure_ascii=False, indent=2)


def _labelled(mark: str, label: str, rows: list[str]) -> list[str]:
    """Rows of text, the first behind mark and label."""
    first, *others = rows
    return [f"{mark}{label:{_WHAT}}{first}", *(f"{_INDENT}{row}" for row in others)]


def _wrapped(paragraphs: str) -> list[str]:
    """Paragraphs as rows; options of commands inside them stay whole."""
    width = WIDTH - len(_INDENT)
    wrapper = textwrap.TextWrapper(width, break_on_hyphens=False, break_long_words=False)
    return [row for one in paragraphs.splitlines() for row in wrapper.wrap(one)] or [""]


def _fix(steps: str) -> list[str]:
    """Commands, which begin with two spaces, stay in one piece."""
    return [row for step in steps.splitlines() for row in ([step] if step.startswith("  ") else _wrapped(step))]
