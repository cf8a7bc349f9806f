"""A fan-out with viewers that record what they receive, driven frame by frame."""

import itertools
from dataclasses import dataclass, field

from broadcaster.delivery.fanout import Fanout
from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.media.packet_format import PacketFormat
from broadcaster.media.rtp import Packetizer, RtpStream
from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import VideoTraits
from broadcaster.stream.hub import Hub

SPS_PPS = b"\0\0\0\1\x67\x42\0\0\0\1\x68\xce"


_host_numbers = itertools.count(1)


OURS = PacketFormat.of(16, 101)


@dataclass
class RecordingSender:
    """A viewer's media sender that records the number of every frame that was sent to its end."""

    listening: bool = True
    is_viewer: bool = True
    packet_format: PacketFormat = OURS
    frames: list[int] = field(default_factory=list)
    audio_frames: int = 0
    broken: bool = False
    broke_calls: int = 0
    qualities: list[Quality] = field(default_factory=list)
    network: str = field(default_factory=lambda: f"192.0.2.{next(_host_numbers)}")

    def is_listening(self, now: float) -> bool:
        return self.listening

    def send_video(self, frame, first, end, now) -> int:
        if self.broken:
            raise OSError("an unexpected error")
        if end == len(frame):
            self.frames.append(frame.payloads[-1][-1])
        return end - first

    def send_audio(self, frame) -> None:
        self.audio_frames += 1

    def send_padding(self, packets: int, now: float) -> int:
        return packets

    def quality_chosen(self, quality: Quality) -> None:
        self.qualities.append(quality)

    def sending_failed(self) -> None:
        self.broke_calls += 1


class Source:
    def __init__(self, can_force: bool = True) -> None:
        self.traits = VideoTraits("fake", "fake", 640, 360, 30, can_force, False)
        self.requests = 0

    def request_keyframe(self, quality: Quality = Quality.FULL) -> None:
        self.requests += 1


@dataclass
class FanoutDriver:
    clock: FakeClock = field(default_factory=FakeClock)
    source: Source = field(default_factory=Source)
    number: int = 0

    def __post_init__(self) -> None:
        self.hub = Hub(self.clock)
        self.fanout = Fanout(self.hub, Packetizer(RtpStream(1, "0"), RtpStream(2, "1")), self.clock)
        self.fanout.open()
        self.hub.attach(self.source)

    def join(self, viewer: str, **kwargs) -> RecordingSender:
        sender = RecordingSender(**kwargs)
        self.fanout.subscribe(viewer, sender)
        return sender

    def publish(self, *, key: bool = False, size: int = 0, after: float = 1 / 30) -> int:
        self.clock.advance(after)
        self.number += 1
        body = (b"\0\0\0\1\x65" if key else b"\0\0\0\1\x41") + b"x" * size + bytes([self.number])
        self.hub.publish_video(AccessUnit((SPS_PPS if key else b"") + body, self.clock.monotonic(), key))
        return self.number
