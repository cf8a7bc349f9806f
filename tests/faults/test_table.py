"""The tables in README: figures find their row, and what a run did not measure stays."""

from __future__ import annotations

import pytest

from tests.bench import hostile
from tests.faults.conftest import README
from tests.faults.rows import TABLES
from tests.faults.table import Row, with_results
from tests.soak import report

ROWS = {"1": Row("it breaks", "in 2 s"), "2": Row("it | breaks", "never")}
EMPTY = "above\n<!-- x: written by make test-faults -->\n<!-- end of x -->\nbelow\n"


def test_figures_stand_beside_what_is_asked_and_stay_until_measured_again():
    first = with_results(EMPTY, "x", ROWS, {"1": ["1.2 s", "1.3 s"], "2": ["a | b"]})
    assert "| 1 | it breaks | in 2 s | 1.2 s; 1.3 s |\n" in first
    second = with_results(first, "x", ROWS, {"1": ["0.9 s"]})
    assert "| 1 | it breaks | in 2 s | 0.9 s |\n" in second
    assert r"| 2 | it \| breaks | never | a \| b |" in second
    assert second.startswith("above\n")
    assert second.endswith("below\n")


def test_what_was_never_measured_says_so():
    assert "| 1 | it breaks | in 2 s | not measured yet |" in with_results(EMPTY, "x", ROWS, {})


def test_a_readme_without_the_comments_is_an_error():
    with pytest.raises(ValueError, match="x: written by"):
        with_results("nothing", "x", ROWS, {})


@pytest.mark.parametrize(
    ("name", "rows", "command"),
    [
        *((name, rows, "make test-faults") for name, rows in TABLES.items()),
        ("bulk", hostile.ROWS, hostile.COMMAND),
        ("soak", report.ROWS, report.COMMAND),
    ],
)
def test_the_readme_has_all_rows_in_their_words(name, rows, command):
    text = README.read_text("utf-8")
    assert with_results(text, name, rows, {}, command) == text
