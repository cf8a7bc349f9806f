"""The tables in README: new results replace old ones, and rows without a new result are kept."""

from __future__ import annotations

import pytest

from tests.bench import hostile
from tests.faults.conftest import README
from tests.faults.rows import TABLES
from tests.faults.table import Row, with_results
from tests.soak import report

ROWS = {"1": Row("a fault", "within 2 s"), "2": Row("another | fault", "never")}
EMPTY = "above\n<!-- x: written by make test-faults -->\n<!-- end of x -->\nbelow\n"


def test_results_are_kept_until_measured_again():
    first = with_results(EMPTY, "x", ROWS, {"1": ["1.2 s", "1.3 s"], "2": ["a | b"]})
    assert "| 1 | a fault | within 2 s | 1.2 s; 1.3 s |\n" in first
    second = with_results(first, "x", ROWS, {"1": ["0.9 s"]})
    assert "| 1 | a fault | within 2 s | 0.9 s |\n" in second
    assert r"| 2 | another \| fault | never | a \| b |" in second
    assert second.startswith("above\n")
    assert second.endswith("below\n")


def test_row_without_a_result_says_so():
    assert "| 1 | a fault | within 2 s | not measured yet |" in with_results(EMPTY, "x", ROWS, {})


def test_missing_comments_are_an_error():
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
def test_readme_has_all_rows(name, rows, command):
    text = README.read_text("utf-8")
    assert with_results(text, name, rows, {}, command) == text
