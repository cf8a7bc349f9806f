"""Every setting: its table, type, default, what is allowed, and one line of documentation.

The tables here are what the daemon is built from, what `broadcaster settings` prints, and what the
README's table is checked against.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

from broadcaster.auth.tokens import LONGEST, SHORTEST
from broadcaster.settings.host_names import HostName, Origin
from broadcaster.settings.ice import IceServer, IceServers, Ports
from broadcaster.settings.kinds import (
    PRINTABLE,
    Bool,
    Enum,
    Float,
    Int,
    IntEnum,
    Kind,
    Network,
    Pin,
    Secret,
    Text,
    Texts,
)
from broadcaster.settings.table import Pairs, Table

Start = Literal["last", "live", "offline"]
VideoSourceName = Literal["auto", "camera", "test", "file", "picamera2", "v4l2"]
AudioSourceName = Literal["auto", "test", "file", "alsa", "none"]
HoldAction = Literal["nothing", "mute", "shutdown"]
Pull = Literal["up", "down", "none"]
Active = Literal["low", "high"]
Flip = Literal["none", "horizontal", "vertical"]
Level = Literal["debug", "info", "warning", "error"]

_PATH = Text("a path, or empty", PRINTABLE)
_SOUND_DEVICE = Text("a card such as Device, an ALSA name such as plughw:CARD=Device, or empty", PRINTABLE)
_CAMERA = Text("a number, a name or a path; empty: the first", PRINTABLE)
_ADDRESS = Text("an IP address, a host name, or empty", r"[0-9A-Za-z.:_%-]*")
# A token travels in a link and in an `Authorization` header (RFC 9110 §5.5).
_TOKEN = Secret(
    f"empty, or {SHORTEST} to {LONGEST} visible ASCII characters; `broadcaster token` prints a good one",
    rf"([!-~]{{{SHORTEST},{LONGEST}}})?",
)
_SECRET = Secret("up to 256 visible ASCII characters", r"[!-~]{0,256}")
_INTERFACE = Text("the name of a network interface such as eth0", r"[0-9A-Za-z_.:@-]{1,15}")  # IFNAMSIZ, if.h

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class About:
    """What is known about a setting besides its type and default."""

    doc: str
    kind: Kind


def _setting(default: T, kind: Kind, doc: str) -> T:
    return field(default=default, repr=not isinstance(kind, Secret), metadata={"about": About(doc, kind)})


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """The one live programme."""

    start: Start = _setting(
        "last", Enum(get_args(Start)), "Whether it is on air when the daemon starts; last: as it was."
    )
    state_dir: str = _setting(
        "", _PATH, "Folder that remembers it across restarts; empty: $STATE_DIRECTORY, else ~/.local/state/broadcaster."
    )


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The page, the signaling, and who may use them."""

    host: str = _setting("", _ADDRESS, "Address to listen on; empty: all of this machine; 0.0.0.0: all of IPv4.")
    port: int = _setting(8080, Int(0, 65535), "TCP port of page and signaling; 0: any free one.")
    origins: tuple[str, ...] = _setting(
        (), Texts(Origin(), "https://example.org"), "Other web sites whose pages may show the stream."
    )
    hosts: tuple[str, ...] = _setting(
        (), Texts(HostName(), "cam.example.org"), "Further names by which browsers may reach this machine."
    )
    certificate: str = _setting(
        "", _PATH, "File with the certificate chain (PEM), for https; read anew when it changes."
    )
    key: str = _setting("", _PATH, "File with the certificate's private key (PEM), without a password.")
    trusted_proxies: tuple[str, ...] = _setting(
        (), Texts(Network(), "127.0.0.1"), "Proxies in front, who say where viewers come from (X-Forwarded-For)."
    )
    viewer_token: str = _setting("", _TOKEN, "Secret that a viewer needs; empty: whoever reaches the page may watch.")
    links: bool = _setting(
        False, Bool(), "Whether viewers need a link that ends, from `broadcaster link`; web.viewer_token does too."
    )
    operator_token: str = _setting(
        "", _TOKEN, "Secret for start and stop over HTTP; empty: one is made, which this machine itself does not need."
    )
    max_viewers: int = _setting(20, Int(1, 1000), "How many may watch at the same time.")


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """The picture."""

    source: VideoSourceName = _setting(
        "auto",
        Enum(get_args(VideoSourceName)),
        "Where pictures come from; camera: any there is, now or later; auto: a camera, else the test picture.",
    )
    file: str = _setting("", _PATH, "The file that the sources named file play, in a loop.")
    width: int = _setting(1280, Int(160, 3840, "pixels", step=2), "Width of the picture in pixels.")
    height: int = _setting(720, Int(90, 2160, "pixels", step=2), "Height of the picture in pixels.")
    fps: int = _setting(30, Int(1, 120), "Pictures a second.")
    bitrate: int = _setting(
        2_500_000, Int(100_000, 25_000_000, "bits a second"), "Bits a second of the encoded picture."
    )
    bitrate_min: int = _setting(
        300_000,
        Int(50_000, 25_000_000, "bits a second"),
        "How far video.bitrate may be lowered for viewers on slow networks; above it: not at all.",
    )
    keyframe_interval: float = _setting(
        2.0, Float(0.5, 30.0, "seconds"), "Seconds between keyframes that nobody asked for."
    )
    device: str = _setting(
        "", _CAMERA, "Which camera: number, model or id of a CSI camera, /dev/videoN or by-id name of a USB camera."
    )
    rotation: int = _setting(
        0, IntEnum((0, 180)), "Degrees by which the camera turns the picture; its hardware cannot do 90 and 270."
    )
    flip: Flip = _setting("none", Enum(get_args(Flip)), "Whether the camera mirrors the picture.")
    controls: Pairs = _setting(
        (), Table("AwbMode", 4), "Further controls, by the camera's own names: exposure, white balance, autofocus."
    )


@dataclass(frozen=True, slots=True)
class AudioSettings:
    """The sound."""

    source: AudioSourceName = _setting(
        "auto", Enum(get_args(AudioSourceName)), "Where sound comes from; auto: what goes with the picture."
    )
    device: str = _setting(
        "", _SOUND_DEVICE, "The microphone: its card's name as arecord -l shows it; empty: the first there is."
    )
    gain: float = _setting(0.0, Float(-30.0, 30.0, "decibels"), "Makes the microphone louder, or softer below 0.")


@dataclass(frozen=True, slots=True)
class IceSettings:
    """Ways from viewer to daemon; at home none of this is needed."""

    servers: tuple[IceServer, ...] = _setting(
        (), IceServers(), "STUN and TURN servers for viewers; the daemon itself uses the first of each."
    )
    turn_secret: str = _setting(
        "", _SECRET, "Secret that TURN servers without a credential share with the daemon (coturn: static-auth-secret)."
    )
    interfaces: tuple[str, ...] = _setting(
        (),
        Texts(_INTERFACE, "eth0"),
        "Network interfaces for viewers; empty: all but those of containers and virtual machines.",
    )
    ports: range = _setting(
        range(0), Ports(), "UDP ports for viewers, one for each of them, for a firewall; empty: any free one."
    )


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """Button and lamp at the pins of the 40-pin header, by their BCM numbers."""

    enabled: bool = _setting(False, Bool(), "Whether button and lamp are used.")
    button: int | None = _setting(17, Pin(), "The live button: a short press starts or stops.")
    start: int | None = _setting(None, Pin(), "A button that only starts.")
    stop: int | None = _setting(None, Pin(), "A button that only stops.")
    hold_action: HoldAction = _setting(
        "nothing", Enum(get_args(HoldAction)), "What holding a button for 3 s does; shutdown: switches the Pi off."
    )
    pull: Pull = _setting("up", Enum(get_args(Pull)), "The pins' own resistors at the buttons; none: you wired some.")
    button_active: Active = _setting(
        "low", Enum(get_args(Active)), "Level of a pressed button; low: it goes to ground."
    )
    lamp: int | None = _setting(27, Pin(), "The tally lamp: lit while pictures leave the camera.")
    watch_lamp: int | None = _setting(None, Pin(), "A second lamp: lit while someone watches.")
    lamp_active: Active = _setting(
        "high", Enum(get_args(Active)), "Level of a lit lamp; low: its other end is at 3.3 V."
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What the daemon writes to its log."""

    level: Level = _setting("info", Enum(get_args(Level)), "How much is written to the log.")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the daemon."""

    stream: StreamSettings = StreamSettings()
    web: WebSettings = WebSettings()
    video: VideoSettings = VideoSettings()
    audio: AudioSettings = AudioSettings()
    ice: IceSettings = IceSettings()
    panel: PanelSettings = PanelSettings()
    log: LogSettings = LogSettings()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the tables above describe it."""

    table: str
    name: str
    default: Any
    about: About

    @property
    def path(self) -> str:
        """Its name for people, such as `video.width`."""
        return f"{self.table}.{self.name}"

    def of(self, settings: Settings) -> Any:
        """Its value in `settings`."""
        return getattr(getattr(settings, self.table), self.name)


def every_setting() -> Iterator[Setting]:
    """Every setting, in the order of this page."""
    for table in fields(Settings):
        for item in fields(table.default):  # type: ignore[arg-type]
            yield Setting(table.name, item.name, item.default, item.metadata["about"])


def secret_values(settings: Settings) -> frozenset[str]:
    """All secrets in `settings`, which no log may show."""
    values = [item.of(settings) for item in every_setting() if isinstance(item.about.kind, Secret)]
    return frozenset([*values, *(server.credential for server in settings.ice.servers)]) - {""}
