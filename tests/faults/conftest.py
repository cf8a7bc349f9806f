"""Collects what the tests measure; `--publish` writes it into the tables of `tests/README.md`."""

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
    if request.config.getoption("--publish", default=False):
        _publish()


@pytest.fixture
async def open_page() -> AsyncIterator[OpenPage]:
    """Opens pages, each in a profile of its own, in a browser that lasts as long as the test."""
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
    parser.addoption("--publish", action="store_true", help="write what was measured into tests/README.md")


def _publish() -> None:
    """After each test: a run that is broken off has told what it knows."""
    text = README.read_text("utf-8")
    for name, rows in TABLES.items():
        text = with_results(text, name, rows, _figures)
    README.write_text(text, "utf-8")
