"""The settings of the recorder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from broadcaster.settings.declaring import setting
from broadcaster.settings.kinds import PRINTABLE, Bool, Enum, Float, Int, Text

RecordMode = Literal["off", "live", "demand"]

_MAX_BYTES = 2**50
"""A petabyte."""


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """Recording to a disk."""

    mode: RecordMode = setting(
        "off",
        Enum(get_args(RecordMode)),
        "When to record; live: always while the stream is live; demand: when `broadcaster record on` says so.",
    )
    folder: str = setting(
        "", Text("a path, or empty", PRINTABLE), "Folder of the recordings; empty: `recordings` in the state folder."
    )
    segment: float = setting(300.0, Float(10.0, 3600.0, "seconds"), "Duration of a file in seconds.")
    keep_days: float = setting(
        7.0, Float(0.0, 36_500.0, "days"), "Days after which recordings are deleted, except clips; 0: never."
    )
    keep_bytes: int = setting(
        0, Int(0, _MAX_BYTES, "bytes"), "Bytes of all recordings above which the oldest are deleted; 0: no limit."
    )
    keep_free: int = setting(
        1_000_000_000, Int(0, _MAX_BYTES, "bytes"), "Free bytes on the disk below which the oldest are deleted."
    )
    before: float = setting(
        30.0, Float(0.0, 300.0, "seconds"), "Seconds by which a recording on demand begins earlier, from memory."
    )
    viewers: bool = setting(
        False, Bool(), "Whether everyone who may watch the stream may watch and download recordings, too."
    )
    clip: float = setting(
        60.0, Float(0.0, 300.0, "seconds"), "Seconds that a clip keeps, from memory; 0: nothing is held for clips."
    )
    timelapse: float = setting(
        0.0,
        Float(0.0, 3600.0, "seconds"),
        "Seconds between the pictures of a timelapse, 15 of which play in a second; 0: none.",
    )
