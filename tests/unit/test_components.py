"""The life cycle of components: order, deadlines, and exceptions."""

from __future__ import annotations

import asyncio

import pytest

from broadcaster.components import Component, component, running
from broadcaster.errors import DeviceHung


def recorded(name: str, calls: list[str], error: Exception | None = None) -> Component:
    def close() -> None:
        calls.append(f"close {name}")
        if error is not None:
            raise error

    return component(name, lambda: calls.append(f"start {name}"), close)


async def test_components_start_in_order_and_close_in_reverse():
    calls: list[str] = []
    async with running([recorded("a", calls), recorded("b", calls)]):
        calls.append("running")
    assert calls == ["start a", "start b", "running", "close b", "close a"]


async def test_components_that_were_started_are_closed_when_another_does_not_start():
    calls: list[str] = []
    with pytest.raises(ZeroDivisionError):
        async with running([recorded("a", calls), component("b", lambda: 1 / 0), recorded("c", calls)]):
            pass
    assert calls == ["start a", "close a"]


async def test_component_that_does_not_close_in_time_is_left_behind(caplog):
    calls: list[str] = []
    slow = Component("slow", close=lambda: asyncio.sleep(60), deadline=0.01)
    async with running([recorded("a", calls), slow]):
        pass
    assert calls == ["start a", "close a"]
    assert "slow did not close within 0.01 s" in caplog.text


async def test_component_that_fails_to_close_does_not_keep_the_others_from_closing():
    calls: list[str] = []
    bug, hung = ValueError("a bug"), DeviceHung("the camera hangs")
    with pytest.raises(DeviceHung):
        async with running([recorded("a", calls, hung), recorded("b", calls, bug), recorded("c", calls)]):
            pass
    assert calls[3:] == ["close c", "close b", "close a"]
