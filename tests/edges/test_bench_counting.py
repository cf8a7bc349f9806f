"""The counting viewers of `make bench ARGS=scale` against the daemon."""

from tests.bench.counting_crowd import CountingCrowd
from tests.rigs.daemon import Daemon

VIEWERS = 3


async def test_each_viewer_receives_the_stream_without_gaps():
    async with Daemon(audio__source="none") as daemon, CountingCrowd(daemon.port, VIEWERS, 2.0, 0.05) as crowd:
        stats = await crowd.summary()
    assert stats.failures == {}
    assert stats.gaps == 0 or stats.overflows
    assert stats.fewest > 10
    assert 0 < stats.keyframe_p50 <= stats.keyframe_p95
