"""From what the sources give to what every viewer gets: one RTP frame for each picture and sound frame."""

from __future__ import annotations

import random

from broadcaster.media.h264 import payloads
from broadcaster.media.opus import is_stereo
from broadcaster.media.rtp import MAX_PAYLOAD, RtpFrame, RtpStream
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE, AudioTimeline, RtpClock
from broadcaster.model.access_units import AccessUnit, OpusFrame


class Packetizer:
    """Makes RTP frames of one video and one audio stream, both on the same capture clock.

    `stereo` says whether the audio is likely to have two channels: the latest packet has, or there was none yet.
    """

    def __init__(self, video: RtpStream, audio: RtpStream) -> None:
        self.video = video
        self.audio = audio
        self.stereo = True
        self.video_clock = RtpClock(VIDEO_RATE, random.getrandbits(32))
        self.audio_clock = RtpClock(AUDIO_RATE, random.getrandbits(32))
        self._audio_timeline = AudioTimeline(self.audio_clock)

    def picture(self, unit: AccessUnit, now: float) -> RtpFrame | None:
        """The RTP frame of an access unit, to be sent at `now`; None when there is nothing in it to send."""
        parts = payloads(unit.data, MAX_PAYLOAD)
        if not parts:
            return None
        return RtpFrame(self.video, parts, self.video_clock.at(unit.captured), now, unit.keyframe)

    def sound(self, frame: OpusFrame, now: float) -> RtpFrame:
        """The RTP frame of an Opus frame, to be sent at `now`; always one packet (RFC 7587 §4.2)."""
        self.stereo = is_stereo(frame.data)
        return RtpFrame(self.audio, [frame.data], self._audio_timeline.at(frame.captured), now)
