"""Fixtures that collect measured results and open pages; `--publish` writes results into `tests/README.md`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.faults.rows import TABLES
from tests.faults.table import with_results
from tests.rigs.browser import Viewer, launch

README = Path(__file__).parents[1] / "README.md"
OpenPage = Callable[[str], Awaitable[Viewer]]
Record = Callable[[str, str], None]
_results: dict[str, list[str]] = defaultdict(list)


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """A function that records a result for a row of a table; it is marked as failed unless the test passes."""
    recorded: list[tuple[str, str]] = []

    def add(row: str, result: str) -> None:
        assert any(row in rows for rows in TABLES.values()), f"no table has a row {row}"
        print(f"{row}: {result}")
        recorded.append((row, result))

    yield add
    report = request.node.stash.get(_CALL, None)
    for row, result in recorded:
        _results[row].append(result if report is not None and report.passed else f"**failed**: {result}")
    if request.config.getoption("--publish", default=False):
        _publish()


@pytest.fixture
async def open_page() -> AsyncIterator[OpenPage]:
    """A function that opens pages, each in a profile of its own, in a browser that is closed after the test."""
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await launch(playwright)
        stack.push_async_callback(browser.close)

        async def open_one(url: str) -> Viewer:
            viewer = Viewer(await (await browser.new_context()).new_page())
            await viewer.open(url)
            return viewer

        yield open_one


_CALL = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[_CALL] = report
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--publish", action="store_true", help="write the measured results into tests/README.md")


def _publish() -> None:
    """Update README after each test, so that an aborted run has published what it measured."""
    text = README.read_text("utf-8")
    for name, rows in TABLES.items():
        text = with_results(text, name, rows, _results)
    README.write_text(text, "utf-8")
