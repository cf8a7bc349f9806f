"""The value types of the simulated libcamera: controls, formats, configurations, buffers and requests."""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from types import SimpleNamespace


class ControlType(Enum):
    Bool = auto()
    Integer32 = auto()
    Integer64 = auto()
    Float = auto()
    Rectangle = auto()
    Size = auto()


class ControlId:
    def __init__(self, name: str, kind: ControlType = ControlType.Integer32) -> None:
        self.name, self.type = name, kind


class AfModeEnum(IntEnum):
    Manual, Auto, Continuous = range(3)


class NoiseReductionModeEnum(IntEnum):
    Off, Fast, HighQuality, Minimal = range(4)


CONTROLS = {
    name: ControlId(name, kind)
    for name, kind in {
        "SensorTimestamp": ControlType.Integer64,
        "FrameDurationLimits": ControlType.Integer64,
        "NoiseReductionMode": ControlType.Integer32,
        "ExposureTime": ControlType.Integer32,
        "ExposureTimeMode": ControlType.Integer32,
        "AnalogueGain": ControlType.Float,
        "AnalogueGainMode": ControlType.Integer32,
        "AwbEnable": ControlType.Bool,
        "ColourGains": ControlType.Float,
        "AfMode": ControlType.Integer32,
        "LensPosition": ControlType.Float,
        "ScalerCrop": ControlType.Rectangle,
    }.items()
}
RANGES = {
    "FrameDurationLimits": (16_666, 1_000_000, 33_333),
    "NoiseReductionMode": (0, 4, 0),
    "ExposureTime": (14, 66_666, 20_000),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "AwbEnable": (False, True, True),
    "ColourGains": (0.0, 32.0, 0.0),
    "AfMode": (0, 2, 0),
    "LensPosition": (0.0, 32.0, 1.0),
}


class Transform:
    def __init__(self, hflip: int = 0, vflip: int = 0, transpose: int = 0) -> None:
        self.hflip, self.vflip, self.transpose = bool(hflip), bool(vflip), bool(transpose)

    def __str__(self) -> str:
        return f"hflip {self.hflip}, vflip {self.vflip}"


class Orientation(Enum):
    Rotate0 = auto()
    Rotate0Mirror = auto()
    Rotate180 = auto()
    Rotate180Mirror = auto()
    Rotate90 = auto()
    Rotate90Mirror = auto()
    Rotate270 = auto()
    Rotate270Mirror = auto()


class ColorSpace:
    def __init__(self, name: str) -> None:
        self.primaries = self.transferFunction = self.ycbcrEncoding = self.range = name

    def __str__(self) -> str:
        return str(self.primaries)

    @classmethod
    def Sycc(cls):
        return cls("sycc")

    @classmethod
    def Smpte170m(cls):
        return cls("smpte170m")

    @classmethod
    def Rec709(cls):
        return cls("rec709")

    @classmethod
    def Raw(cls):
        return cls("raw")


class Size:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height


class Rectangle:
    def __init__(self, x: int, y: int, width: int, height: int) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height


class PixelFormat(str):
    """A pixel format, represented by its name."""


class StreamRole(Enum):
    StillCapture = auto()
    Raw = auto()
    VideoRecording = auto()
    Viewfinder = auto()


class StreamConfiguration:
    def __init__(self, role: StreamRole) -> None:
        self.stream = Stream(self)
        self.size, self.pixel_format, self.buffer_count = Size(640, 480), PixelFormat("XBGR8888"), 4
        self.stride = self.frame_size = 0
        self.color_space = None
        modes = [Size(1536, 864), Size(2304, 1296)]
        self.formats = SimpleNamespace(pixel_formats=[PixelFormat("SRGGB10_CSI2P")], sizes=lambda _: modes)

    def lay_out(self) -> None:
        step = self.size.width if self.pixel_format == "YUV420" else self.size.width * 4
        self.stride = -(-step // 64) * 64
        self.frame_size = self.stride * self.size.height * (3 if self.pixel_format == "YUV420" else 2) // 2


class Stream:
    """A hashable stream with its configuration, as V4L2Encoder requires."""

    def __init__(self, configuration: StreamConfiguration) -> None:
        self.configuration = configuration


class CameraConfiguration(list):
    class Status(Enum):
        Valid = auto()
        Adjusted = auto()
        Invalid = auto()

    orientation = Orientation.Rotate0
    sensor_config = None

    def at(self, index: int) -> StreamConfiguration:
        return self[index]

    def validate(self) -> CameraConfiguration.Status:
        for stream in self:
            stream.lay_out()
        return self.Status.Valid


class SensorConfiguration:
    bit_depth = 0
    output_size = None


class FrameMetadata:
    class Status(Enum):
        Success = auto()


class FrameBuffer:
    class Plane:
        fd = offset = length = 0

    def __init__(self, planes) -> None:
        self.planes = planes
        self.metadata = SimpleNamespace(status=FrameMetadata.Status.Success)


class Request:
    class Status(Enum):
        Pending = auto()
        Complete = auto()

    def __init__(self, cookie: int) -> None:
        self.cookie, self.status = cookie, self.Status.Pending
        self.buffers, self.metadata, self.set = {}, {}, {}

    def add_buffer(self, stream, buffer) -> None:
        self.buffers[stream] = buffer

    def reuse(self) -> None:
        self.status, self.metadata = self.Status.Pending, {}

    def set_control(self, control: ControlId, value) -> None:
        self.set[control.name] = value
