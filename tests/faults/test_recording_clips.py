"""Faults of the disk while part of what was recorded is copied into a clip: on a real ext4."""

from __future__ import annotations

import contextlib

import pytest

from broadcaster.errors import RecordError
from broadcaster.storage.recordings.clips import ClipSaver
from broadcaster.storage.recordings.reading import RecordingReader
from tests.edges.test_recordings_clips import ClipRig
from tests.faults.test_recording import fill
from tests.rigs.loop_disk import loop_disk

pytestmark = pytest.mark.long

PATIENCE = 0.5
"""Seconds without progress from which the disk counts as one that does not respond; 10 in the daemon."""
CHUNKS = (240, 120)


async def test_disk_that_fails_while_a_clip_is_copied(tmp_path, record):
    with loop_disk(tmp_path, megabytes=192) as disk:
        rig = ClipRig(disk.folder / "recordings", counts=CHUNKS)
        rig.clips = ClipSaver(rig.store, RecordingReader(rig.store), PATIENCE)
        rig.store.start()
        await rig.ready()
        rig.store.meddle = lambda: fill(disk.folder / "filler")
        with pytest.raises(RecordError, match="No space left on device") as full:
            await rig.save(0, 700)
        (disk.folder / "filler").unlink()
        await rig.unchanged()
        for name in set(rig.files.names()) - set(rig.before):
            await rig.store.delete(name)
        with contextlib.ExitStack() as frozen:
            rig.store.meddle = lambda: frozen.enter_context(disk.frozen())
            with pytest.raises(RecordError, match="does not respond") as stalled:
                await rig.save(0, 700)
        await rig.unchanged()
        await rig.store.close()
        durations = rig.files.durations()
    record("clip-disk", f"“{full.value}”, “{stalled.value}”; nothing left behind, {len(durations)} files play")
