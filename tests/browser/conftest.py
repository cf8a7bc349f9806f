"""Browser tests share one Chromium and one event loop; each has its own browser context and daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.rigs.browser import Viewer, launch

OpenPage = Callable[..., Awaitable[Viewer]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Use one event loop for all, because the browser's connection is bound to it."""
    for item in items:
        if "tests/browser" in item.path.as_posix() and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A running Chromium."""
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Return a function that opens pages, each in its own context; they are closed after the test."""
    async with AsyncExitStack() as contexts:

        async def open_one(url: str, **context_options: object) -> Viewer:
            context = await browser.new_context(**context_options)
            contexts.push_async_callback(context.close)
            viewer = Viewer(await context.new_page())
            await viewer.open(url)
            return viewer

        yield open_one
