"""NAT routers and blocked UDP as `broadcaster check` sees them, with real STUN servers in network namespaces."""

import asyncio
import json
import os
import sys

import pytest

from broadcaster.doctor.checks.internet import Nat, Outside, classify, evaluate_nat
from broadcaster.doctor.result import Level
from broadcaster.settings import IceServer, IceSettings
from broadcaster.webrtc.nat import probe_nat
from tests.rigs import coturn, internet
from tests.rigs.coturn import SECRET
from tests.rigs.daemon import ROOT
from tests.rigs.internet import Internet

MISSING = internet.unavailable() or coturn.unavailable()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

HOST, ROUTER, INSIDE = "203.0.113.10", "203.0.113.20", "192.168.77.2"
FIRST, SECOND, OTHER = "203.0.113.40", "203.0.113.50", "203.0.113.41"
CHECK_LIMIT = 60


def stun(*hosts: str) -> IceSettings:
    return IceSettings(tuple(IceServer((f"stun:{host}",)) for host in hosts))


@pytest.fixture
def network():
    with Internet() as small:
        yield small


@pytest.fixture
async def servers(network):
    """Two servers, the first of which has two addresses."""
    first, second = network.host(FIRST, OTHER), network.host(SECOND)
    async with coturn.coturn([FIRST, OTHER], host=first), coturn.coturn([SECOND], host=second):
        yield


async def probe(host, settings):
    return await host.run(lambda: probe_nat(settings))


async def test_host_with_a_public_address_has_no_nat(network, servers):
    assert classify(await probe(network.host(HOST), stun(FIRST, SECOND))) is Nat.NONE


async def test_router_that_keeps_the_mapping_is_told_from_a_symmetric_one(network, servers):
    ordinary = await probe(network.behind_router(ROUTER), stun(FIRST, SECOND))
    symmetric = await probe(network.behind_router(HOST, symmetric=True), stun(FIRST, SECOND))
    assert [classify(ordinary), classify(symmetric)] == [Nat.INDEPENDENT, Nat.DEPENDENT]
    assert evaluate_nat(ordinary, Outside(media=True)).level is Level.OK
    assert evaluate_nat(symmetric, Outside(media=True)).level is Level.WARNING


async def test_one_server_is_enough_if_it_has_two_addresses(network, servers):
    ordinary, symmetric = network.behind_router(ROUTER), network.behind_router(HOST, symmetric=True)
    assert classify(await probe(ordinary, stun(FIRST))) is Nat.INDEPENDENT
    assert classify(await probe(symmetric, stun(FIRST))) is Nat.DEPENDENT
    assert classify(await probe(ordinary, stun(SECOND))) is Nat.UNKNOWN


async def test_turn_servers_are_asked_too(network, servers):
    settings = IceSettings((IceServer((f"turn:{FIRST}?transport=udp", f"turn:{SECOND}")),), SECRET)
    assert classify(await probe(network.behind_router(ROUTER, symmetric=True), settings)) is Nat.DEPENDENT


async def test_server_in_the_same_network_tells_nothing(network):
    host = network.behind_router(ROUTER)
    async with coturn.coturn([INSIDE], host=host):
        assert classify(await probe(host, stun(INSIDE))) is Nat.INSIDE


async def test_blocked_udp_is_told_from_servers_that_do_not_exist(network, servers):
    host = network.behind_router(ROUTER, drops_udp=True)
    blocked = evaluate_nat(await probe(host, stun(FIRST, SECOND)), Outside(media=True))
    absent = evaluate_nat(await probe(host, stun(HOST)), Outside(media=True))
    assert blocked.level is absent.level is Level.WARNING
    assert blocked.found.startswith(f"UDP is blocked: {FIRST}:3478, {SECOND}:3478 can be reached over TCP only; ")
    assert absent.found.startswith(f"no answer from {HOST}:3478, neither over UDP nor over TCP")


async def test_check_behind_a_symmetric_router_with_and_without_a_relay(network, servers):
    host = network.behind_router(ROUTER, symmetric=True)
    with_relay = IceServer((f"turn:{FIRST}", f"turn:{SECOND}?transport=tcp"))
    results = await check(host, IceSettings((with_relay,), SECRET))
    assert [result["level"] for result in results.values()] == ["ok", "ok"]
    assert "relay (TURN), which works" in results["nat"]["found"]
    results = await check(host, stun(FIRST, SECOND))
    assert [result["level"] for result in results.values()] == ["warning", "ok"]
    expected = "strict router (symmetric NAT): most viewers outside get the picture over the web only (TCP)"
    assert results["nat"]["found"].startswith(expected)


async def test_check_where_udp_is_dropped_shows_that_the_relay_over_tcp_works(network, servers):
    host = network.behind_router(ROUTER, drops_udp=True)
    servers = IceServer((f"turn:{FIRST}", f"turn:{FIRST}?transport=tcp"))
    results = await check(host, IceSettings((servers,), SECRET))
    assert [result["level"] for result in results.values()] == ["ok", "warning"]
    assert "relay (TURN) over TCP, which works" in results["nat"]["found"]
    udp, tcp = results["turn"]["found"].splitlines()
    assert udp == f"turn:{FIRST}: cannot be reached over UDP (no answer)"
    assert tcp == f"turn:{FIRST}?transport=tcp: gives a relay over TCP"


async def check(host, ice: IceSettings) -> dict[str, dict[str, str]]:
    """Return the results of `broadcaster check nat turn` on `host`; nothing private may be in the output."""
    tables = ", ".join(f"{{urls = {json.dumps(list(server.urls))}}}" for server in ice.servers)
    command = [*("-m", "broadcaster", "check", "--as-me", "--json", "nat", "turn"), "--set", f"ice.servers=[{tables}]"]
    if ice.turn_secret:
        command += ["--set", f"ice.turn_secret={ice.turn_secret}"]
    process = await asyncio.create_subprocess_exec(
        *host.command(sys.executable, *command),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    async with asyncio.timeout(CHECK_LIMIT):
        output = (await process.communicate())[0].decode()
    assert not [private for private in (SECRET, ROUTER, INSIDE, ":check") if private in output]
    return {result["what"]: result for result in json.loads(output)}
