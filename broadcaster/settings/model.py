"""Every setting: its table, type, default, allowed values, and one line of documentation.

The daemon is built from these tables, `broadcaster settings` prints them, and a test checks the README's table
against them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from broadcaster.auth.tokens import MAX_LENGTH, MIN_LENGTH
from broadcaster.settings.declaring import About
from broadcaster.settings.declaring import setting as _setting
from broadcaster.settings.host_names import HostName, Origin
from broadcaster.settings.ice import IceServer, IceServers, PortRange
from broadcaster.settings.kinds import (
    PRINTABLE,
    Bool,
    Enum,
    Float,
    Int,
    IntEnum,
    Network,
    Pin,
    Secret,
    Text,
    Texts,
)
from broadcaster.settings.push import PushTarget, PushTargets
from broadcaster.settings.record import RecordSettings
from broadcaster.settings.station import StationSettings
from broadcaster.settings.table import Pairs, Table

Start = Literal["last", "live", "offline"]
VideoSourceName = Literal["auto", "camera", "test", "file", "picamera2", "v4l2"]
TestPattern = Literal["plain", "camera"]
AudioSourceName = Literal["auto", "test", "file", "alsa", "none"]
HoldAction = Literal["nothing", "mute", "clip", "shutdown"]
Pull = Literal["up", "down", "none"]
Active = Literal["low", "high"]
Flip = Literal["none", "horizontal", "vertical"]
Level = Literal["debug", "info", "warning", "error"]

_PATH = Text("a path, or empty", PRINTABLE)
_AUDIO_DEVICE = Text("a card such as Device, an ALSA name such as plughw:CARD=Device, or empty", PRINTABLE)
_CAMERA = Text("an index, a name or a path; empty: the first camera", PRINTABLE)
_ADDRESS = Text("an IP address, a host name, or empty", r"[0-9A-Za-z.:_%-]*")
# A token is sent in a link and in an `Authorization` header (RFC 9110 §5.5).
_TOKEN = Secret(
    f"empty, or {MIN_LENGTH} to {MAX_LENGTH} visible ASCII characters; `broadcaster token` prints a good one",
    rf"([!-~]{{{MIN_LENGTH},{MAX_LENGTH}}})?",
)
_SECRET = Secret("up to 256 visible ASCII characters", r"[!-~]{0,256}")
_INTERFACE = Text("the name of a network interface such as eth0", r"[0-9A-Za-z_.:@-]{1,15}")  # IFNAMSIZ, if.h

_EVEN = r"[1-9]\d{0,2}[02468]"
"""An even number of pixels from 10 to 9998."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The live stream."""

    start: Start = _setting(
        "last", Enum(get_args(Start)), "Whether the stream is live when the daemon starts; last: as it was."
    )
    state_dir: str = _setting(
        "", _PATH, "State folder: desired state and secrets; empty: $STATE_DIRECTORY, else ~/.local/state/broadcaster."
    )


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The page, the signaling, and access to them."""

    host: str = _setting("", _ADDRESS, "Address to listen on; empty: all addresses; 0.0.0.0: all IPv4 addresses.")
    port: int = _setting(8080, Int(0, 65535), "TCP port of the page and the signaling; 0: any free port.")
    origins: tuple[str, ...] = _setting(
        (), Texts(Origin(), "https://example.org"), "Origins of other web sites whose pages may show the stream."
    )
    hosts: tuple[str, ...] = _setting(
        (), Texts(HostName(), "cam.example.org"), "Additional host names by which browsers may reach this machine."
    )
    certificate: str = _setting("", _PATH, "Certificate chain for https (PEM file); reloaded when it changes.")
    key: str = _setting("", _PATH, "Private key of the certificate (PEM file), not encrypted.")
    trusted_proxies: tuple[str, ...] = _setting(
        (), Texts(Network(), "127.0.0.1"), "Reverse proxies whose X-Forwarded-For header is trusted."
    )
    viewer_token: str = _setting(
        "", _TOKEN, "Token that every viewer needs; empty: everyone who can open the page may watch."
    )
    links: bool = _setting(
        False, Bool(), "Whether viewers need an expiring link, made by `broadcaster link`; web.viewer_token also works."
    )
    operator_token: str = _setting(
        "",
        _TOKEN,
        "Token for starting and stopping over HTTP; empty: one is generated, not needed on this machine itself.",
    )
    media: bool = _setting(
        True, Bool(), "Whether the page may play over its TCP connection where UDP is blocked, or without WebRTC."
    )
    whep: bool = _setting(
        True, Bool(), "Whether standard players may watch by WHEP (/whep), with the same tokens and links as the page."
    )
    stills: bool = _setting(
        False, Bool(), "Whether /snapshot.jpg and /stream.mjpeg exist, with the same tokens and links as the page."
    )
    max_viewers: int = _setting(20, Int(1, 1000), "Maximum number of viewers at the same time.")


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """Video."""

    source: VideoSourceName = _setting(
        "auto",
        Enum(get_args(VideoSourceName)),
        "Video source; camera: any camera, now or later; auto: a camera, else the test picture.",
    )
    file: str = _setting("", _PATH, "The media file that the source `file` plays in a loop.")
    width: int = _setting(1280, Int(160, 3840, "pixels", step=2), "Width of the video in pixels.")
    height: int = _setting(720, Int(90, 2160, "pixels", step=2), "Height of the video in pixels.")
    fps: int = _setting(30, Int(1, 120), "Frames per second.")
    bitrate: int = _setting(2_500_000, Int(100_000, 25_000_000, "bits per second"), "Bit rate of the encoded video.")
    bitrate_min: int = _setting(
        300_000,
        Int(50_000, 25_000_000, "bits per second"),
        "Lowest bit rate for viewers on slow networks; at or above video.bitrate: never lowered.",
    )
    second: str = _setting(
        "auto",
        Text("auto, off, or a size in even pixels such as 640x360", rf"auto|off|{_EVEN}x{_EVEN}"),
        "Size of the second, smaller rendition for viewers on slow networks; auto: at most 640x360.",
    )
    second_bitrate: int = _setting(
        400_000, Int(100_000, 5_000_000, "bits per second"), "Bit rate of the second rendition."
    )
    test_pattern: TestPattern = _setting(
        "plain",
        Enum(get_args(TestPattern)),
        "Test picture; camera: with noise, which makes keyframes as large as a camera's.",
    )
    keyframe_interval: float = _setting(2.0, Float(0.5, 30.0, "seconds"), "Keyframe interval in seconds.")
    device: str = _setting(
        "", _CAMERA, "Which camera: index, model or id of a CSI camera; /dev/videoN or by-id name of a USB camera."
    )
    rotation: int = _setting(
        0, IntEnum((0, 180)), "Rotation by the camera in degrees; its hardware cannot do 90 and 270."
    )
    flip: Flip = _setting("none", Enum(get_args(Flip)), "Mirroring by the camera.")
    controls: Pairs = _setting(
        (), Table("AwbMode", 4), "Camera controls, by the camera's own names: exposure, white balance, autofocus."
    )


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """Audio."""

    source: AudioSourceName = _setting(
        "auto", Enum(get_args(AudioSourceName)), "Audio source; auto: the one that goes with the video source."
    )
    device: str = _setting(
        "", _AUDIO_DEVICE, "The microphone: card name as `arecord -l` shows it; empty: the first one found."
    )
    gain: float = _setting(0.0, Float(-30.0, 30.0, "decibels"), "Gain of the microphone in decibels.")


@dataclass(frozen=True, slots=True)
class IceSettings:
    """Connectivity between viewer and daemon; not needed on a home network."""

    servers: tuple[IceServer, ...] = _setting(
        (), IceServers(), "STUN and TURN servers for viewers; the daemon itself uses the first of each kind."
    )
    turn_secret: str = _setting(
        "", _SECRET, "Secret shared with TURN servers that have no credential here (coturn: static-auth-secret)."
    )
    interfaces: tuple[str, ...] = _setting(
        (),
        Texts(_INTERFACE, "eth0"),
        "Network interfaces for media; empty: all except those of containers and virtual machines.",
    )
    ports: range = _setting(
        range(0), PortRange(), "UDP ports for media, one per viewer, for a firewall; empty: any free port."
    )


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """Buttons and LEDs on the 40-pin header, by BCM number."""

    enabled: bool = _setting(False, Bool(), "Whether the live button and the tally light are used.")
    button: int | None = _setting(17, Pin(), "The live button: a short press starts or stops the stream.")
    start: int | None = _setting(None, Pin(), "A button that only starts the stream.")
    stop: int | None = _setting(None, Pin(), "A button that only stops the stream.")
    hold_action: HoldAction = _setting(
        "nothing",
        Enum(get_args(HoldAction)),
        "What holding a button for 3 s does; shutdown: powers the Pi off; clip (1 s): keeps the last record.clip s.",
    )
    pull: Pull = _setting(
        "up", Enum(get_args(Pull)), "Internal pull resistors of the button pins; none: external resistors are wired."
    )
    button_active: Active = _setting(
        "low", Enum(get_args(Active)), "Level of a pressed button; low: the button connects to ground."
    )
    lamp: int | None = _setting(27, Pin(), "The tally light: lit while video is being captured and sent.")
    watch_lamp: int | None = _setting(None, Pin(), "A second LED: lit while there are viewers.")
    lamp_active: Active = _setting(
        "high", Enum(get_args(Active)), "Level of a lit LED; low: its other end is at 3.3 V."
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Logging."""

    level: Level = _setting("info", Enum(get_args(Level)), "Lowest level of messages that are logged.")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the daemon."""

    stream: StreamSettings = StreamSettings()
    station: StationSettings = StationSettings()
    web: WebSettings = WebSettings()
    video: VideoSettings = VideoSettings()
    audio: AudioSettings = AudioSettings()
    ice: IceSettings = IceSettings()
    panel: PanelSettings = PanelSettings()
    record: RecordSettings = RecordSettings()
    log: LogSettings = LogSettings()
    push: tuple[PushTarget, ...] = _setting(
        (), PushTargets(), "Media servers that get the stream while it is live (WHIP), as [[push]] tables or a list."
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """The declaration of a setting; `table` is empty for one outside tables."""

    table: str
    name: str
    default: Any
    about: About

    @property
    def path(self) -> str:
        """The full name, such as `video.width`."""
        return f"{self.table}.{self.name}" if self.table else self.name

    def of(self, settings: Settings) -> Any:
        """Return its value in `settings`."""
        return getattr(getattr(settings, self.table) if self.table else settings, self.name)


def every_setting() -> Iterator[Setting]:
    """Yield every setting, in the order of this file."""
    for table in fields(Settings):
        if "about" in table.metadata:
            yield Setting("", table.name, table.default, table.metadata["about"])
            continue
        for item in fields(table.default):  # type: ignore[arg-type]
            yield Setting(table.name, item.name, item.default, item.metadata["about"])


def secret_values(settings: Settings) -> frozenset[str]:
    """Return all secrets in `settings`, which must not appear in the log."""
    values = [item.of(settings) for item in every_setting() if isinstance(item.about.kind, Secret)]
    credentials = [server.credential for server in settings.ice.servers]
    return frozenset([*values, *credentials]).union(*(target.secrets for target in settings.push)) - {""}
