"""Collects what the tests measure; `--publish` writes it into the tables of `tests/README.md`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.rows import TABLES
from tests.faults.table import with_figures

README = Path(__file__).parents[1] / "README.md"
Measured = Callable[[str, str], None]
_figures: dict[str, list[str]] = defaultdict(list)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Iterator[Measured]:
    """Call it with a row and what was seen; it counts when the test has passed."""
    seen: list[tuple[str, str]] = []

    def take(row: str, figure: str) -> None:
        assert any(row in rows for rows in TABLES.values()), f"no table has a row {row}"
        print(f"{row}: {figure}")
        seen.append((row, figure))

    yield take
    report = request.node.stash.get(_CALL, None)
    for row, figure in seen:
        _figures[row].append(figure if report is not None and report.passed else f"**failed**: {figure}")


_CALL = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[_CALL] = report
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--publish", action="store_true", help="write what was measured into tests/README.md")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--publish", default=False) and _figures:
        text = README.read_text("utf-8")
        for name, rows in TABLES.items():
            text = with_figures(text, name, rows, _figures)
        README.write_text(text, "utf-8")
