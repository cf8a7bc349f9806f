"""Turns of joining viewers: one per iteration of the event loop, after the video, and answers first."""

import asyncio

import pytest

from broadcaster.webrtc.turns import LONGEST_WAIT, Turns


class Loop:
    """Counts iterations of the event loop, and records who got a turn in which."""

    def __init__(self) -> None:
        self.sending = False
        self.turns = Turns(lambda: self.sending)
        self.granted: list[str] = []
        self.iteration = 0
        self.iterations: list[int] = []

    async def join(self, name: str, *, answer: bool = False) -> None:
        await self.turns.take(answer=answer)
        self.granted.append(name)
        self.iterations.append(self.iteration)

    async def run(self, iterations: int) -> None:
        for _ in range(iterations):
            await asyncio.sleep(0)
            self.iteration += 1


@pytest.fixture
def loop():
    return Loop()


async def test_first_viewer_does_not_wait(loop):
    await loop.join("a")
    assert loop.iteration == 0


async def test_one_turn_per_iteration(loop):
    tasks = [asyncio.create_task(loop.join(name)) for name in "abcdef"]
    await loop.run(20)
    assert loop.granted == list("abcdef")
    assert len(set(loop.iterations)) == 6
    await asyncio.gather(*tasks)


async def test_answers_go_first(loop):
    names = [("a", False), ("b", False), ("c", True), ("d", False), ("e", True)]
    tasks = [asyncio.create_task(loop.join(name, answer=answer)) for name, answer in names]
    await loop.run(20)
    assert loop.granted == ["a", "c", "e", "b", "d"]
    await asyncio.gather(*tasks)


async def test_turns_wait_for_the_video(loop):
    await loop.join("a")
    loop.sending = True
    task = asyncio.create_task(loop.join("b"))
    await loop.run(3)
    assert loop.granted == ["a"]
    loop.sending = False
    await loop.run(3)
    assert loop.granted == ["a", "b"]
    await task


async def test_turns_do_not_wait_for_ever(loop):
    loop.sending = True
    began = asyncio.get_running_loop().time()
    for name in "abc":
        await asyncio.wait_for(loop.join(name), 5)
    assert asyncio.get_running_loop().time() - began >= 2 * LONGEST_WAIT


async def test_viewer_that_left_takes_no_turn(loop):
    tasks = [asyncio.create_task(loop.join(name)) for name in "abc"]
    await loop.run(1)
    tasks[1].cancel()
    await loop.run(10)
    assert loop.granted == ["a", "c"]
    await asyncio.gather(*tasks, return_exceptions=True)
