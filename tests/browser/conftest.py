"""Browser tests share one Chromium and one event loop; each gets a fresh context and the daemon it asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.rigs.browser import Viewer, launch

OpenPage = Callable[..., Awaitable[Viewer]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One loop for all of them, because the browser lives on it."""
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
    """Opens pages, each in a profile of its own, and closes them after the test."""
    async with AsyncExitStack() as contexts:

        async def open_one(url: str, **context_options: object) -> Viewer:
            context = await browser.new_context(**context_options)
            contexts.push_async_callback(context.close)
            viewer = Viewer(await context.new_page())
            await viewer.open(url)
            return viewer

        yield open_one
