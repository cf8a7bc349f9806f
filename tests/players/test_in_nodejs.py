"""Other WebRTC stacks play by WHEP, in Node.js."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.players.rig import FRAMES, figures, install, run_script, wait_until, whep_url
from tests.rigs.daemon import Daemon

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    ("script", "package"), [("werift.mjs", "werift@0.25.2"), ("libdatachannel.mjs", "node-datachannel@0.33.4")]
)
async def test_stack_gets_keyframes_and_audio(script: str, package: str, tmp_path: Path) -> None:
    folder = await install(tmp_path, package)
    async with Daemon() as daemon:
        result = await run_script(folder, script, whep_url(daemon))
        assert result["frames"] >= FRAMES
        assert result["keyframes"] > 0
        assert result["audio"] > 0
        assert result["deleted"] == 200
        assert await figures(daemon) == []


async def test_libwebrtc_plays_if_it_was_built_with_h264(tmp_path: Path) -> None:
    folder = await install(tmp_path, "@roamhq/wrtc@0.10.0")
    async with Daemon() as daemon:
        result = await run_script(folder, "libwebrtc.mjs", whep_url(daemon))
        if "error" in result:
            assert result["status"] == 406
            pytest.skip("this build has no H.264: it was told so, 406")
        assert result["frames"] >= FRAMES
        assert result["width"] == 1280
        assert result["audio"] > 0
        await wait_until(daemon, lambda viewers: not viewers)
