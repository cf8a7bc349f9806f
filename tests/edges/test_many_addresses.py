"""A machine with hundreds of addresses: offers stay small, and include the address that the viewer uses."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.settings import IceSettings
from broadcaster.webrtc.ice import gather
from broadcaster.webrtc.interfaces import MAX_ADDRESSES
from tests.rigs.daemon import Daemon
from tests.rigs.light import LightViewer
from tests.rigs.namespaces import Namespace, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))

SMALL = {"video__width": 320, "video__height": 180, "video__bitrate": 200_000}
SERVER, VIEWER = "10.9.0.1", "10.9.0.2"
OTHERS = [f"address add 10.{100 + number // 250}.{number % 250}.1/24 dev near" for number in range(400)]
IPV6 = [f"address add 2001:db8::{number:x}/64 dev near nodad" for number in range(1, 200)]


@pytest.fixture
def cable():
    """Yield two connected network namespaces; the first has hundreds of addresses, the viewer's route uses the last."""
    with contextlib.closing(Namespace()) as near, contextlib.closing(Namespace()) as far:
        with far.inside():
            far.ip(f"link add near netns {near.path} type veth peer name far")
            far.ip(f"address add {VIEWER}/24 dev far")
            far.ip("link set far up")
        with near.inside():
            near.ip("link set near up")
            batch = "\n".join([*OTHERS, *IPV6, f"address add {SERVER}/24 dev near"])
            subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True, timeout=30)
        yield near, far


async def test_offer_has_few_addresses_including_the_one_of_the_connection(cable):
    near, far = cable

    async def watch(port: int) -> list[dict]:
        async with LightViewer(port, SERVER) as viewer:
            await viewer.keyframe()
            return viewer.messages

    async def serve() -> tuple[list[dict], str]:
        async with Daemon(**SMALL) as daemon:
            first = await far.run(lambda: watch(daemon.port))
            return first + await far.run(lambda: watch(daemon.port)), daemon.log

    messages, log = await near.run(serve)
    for offer in (message for message in messages if message["type"] == "offer"):
        assert len(offer["sdp"]) < 16 * 1024
        assert f" {SERVER} " in offer["sdp"]
    assert log.count("this machine is in 402 networks, and viewers are offered its addresses in 16 of them") == 1


async def test_gathering_is_limited_without_problems(cable):
    near, _ = cable
    gathered = await near.run(lambda: gather(IceSettings(), SystemClock()))
    assert len(gathered.candidates) == MAX_ADDRESSES
    assert gathered.problems == ()
