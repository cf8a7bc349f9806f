"""`/media` on connections that do not take everything at once, with and without TLS."""

import socket
import ssl
from itertools import pairwise
from pathlib import Path

import pytest

from broadcaster.signaling.media import MEDIA_SUBPROTOCOL
from broadcaster.signaling.protocol import SUBPROTOCOL
from tests.edges.media_rig import MediaPlayer, media_served
from tests.edges.web_rig import SignalingClient, WebServerRig, until
from tests.rigs.certificates import make_pair


async def played(web: WebServerRig, tls: ssl.SSLContext | bool, scheme: str) -> MediaPlayer:
    """Open a session, and play over `/media`, with a small receive buffer."""
    url = f"{scheme}://localhost:{web.server.port}"
    client = SignalingClient(await web.client.ws_connect(f"{url}/ws", protocols=[SUBPROTOCOL], ssl=tls))
    await client.send("hello")
    ticket = (await client.receive("welcome"))["media"]["ticket"]
    media = await web.client.ws_connect(f"{url}/media", protocols=[MEDIA_SUBPROTOCOL], ssl=tls, compress=0)
    media.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await media.send_json({"type": "open", "ticket": ticket})
    player = MediaPlayer(media)
    await player.play(3)
    return player


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_a_full_socket_is_waited_for(secure: bool, tmp_path: Path) -> None:
    """What the kernel does not take is sent when it does, and nothing is written in the meantime."""
    pair = make_pair(tmp_path)
    async with media_served(**(pair.settings if secure else {})) as rig:
        player = await played(rig.web, pair.trusted() if secure else True, "https" if secure else "http")
        transport = player.socket._response.connection.transport
        viewer = rig.stream._viewers["v1"]
        transport.pause_reading()
        rig.camera.bloat()
        await until(lambda: not viewer.outlet.is_writable)
        sent = viewer.bytes_sent
        await until(lambda: viewer._tail.backlog(rig.stream.now()) > 0.05)
        assert viewer.bytes_sent == sent
        transport.resume_reading()
        await player.play(40)
        sizes = [len(sample.data) for part in player.movie.fragments for sample in part.video]
        assert max(sizes) > 80_000
        pictures = [sample for part in player.movie.fragments for sample in part.video]
        broken = [after for before, after in pairwise(pictures) if after.time > before.time + before.duration]
        assert all(picture.keyframe for picture in broken)
