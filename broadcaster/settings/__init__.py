"""All settings of the daemon: typed, validated together, read from TOML and rendered as TOML."""

from broadcaster.settings.constraints import weak_tokens
from broadcaster.settings.ice import IceServer
from broadcaster.settings.layers import CHANGEABLE, LayeredSettings, Origin, page_toml, read_all_layers, read_layers
from broadcaster.settings.model import (
    AudioSettings,
    AudioSourceName,
    HoldAction,
    IceSettings,
    LogSettings,
    PanelSettings,
    Settings,
    StreamSettings,
    VideoSettings,
    VideoSourceName,
    WebSettings,
    every_setting,
    secret_values,
)
from broadcaster.settings.push import PushTarget
from broadcaster.settings.reading import read
from broadcaster.settings.record import RecordMode, RecordSettings
from broadcaster.settings.rendering import render, template
from broadcaster.settings.station import StationSettings

__all__ = [
    "CHANGEABLE",
    "AudioSettings",
    "AudioSourceName",
    "HoldAction",
    "IceServer",
    "IceSettings",
    "LayeredSettings",
    "LogSettings",
    "Origin",
    "PanelSettings",
    "PushTarget",
    "RecordMode",
    "RecordSettings",
    "Settings",
    "StationSettings",
    "StreamSettings",
    "VideoSettings",
    "VideoSourceName",
    "WebSettings",
    "every_setting",
    "page_toml",
    "read",
    "read_all_layers",
    "read_layers",
    "render",
    "secret_values",
    "template",
    "weak_tokens",
]
