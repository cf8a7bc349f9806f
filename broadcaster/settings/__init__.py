"""All settings of the daemon: typed, validated together, read from TOML and rendered as TOML."""

from broadcaster.settings.constraints import weak_tokens
from broadcaster.settings.ice import IceServer
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

__all__ = [
    "AudioSettings",
    "AudioSourceName",
    "HoldAction",
    "IceServer",
    "IceSettings",
    "LogSettings",
    "PanelSettings",
    "PushTarget",
    "RecordMode",
    "RecordSettings",
    "Settings",
    "StreamSettings",
    "VideoSettings",
    "VideoSourceName",
    "WebSettings",
    "every_setting",
    "read",
    "render",
    "secret_values",
    "template",
    "weak_tokens",
]
