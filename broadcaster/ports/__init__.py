"""The interfaces between the layers.

`devices`, `webrtc`, `storage` and `service` implement these protocols, `stream` and `web` use them, and only `app`
knows which implementation is behind which protocol. Times named `now`, `captured` or `…_at` are monotonic seconds.
"""

from broadcaster.ports.control import Control, Panel, SettingsControl, StoredFlag, StreamControl
from broadcaster.ports.peers import (
    MediaPeer,
    MediaSender,
    Peer,
    PeerFactory,
    PeerListener,
    PlayerPeer,
    PushPeer,
    RtpDelivery,
)
from broadcaster.ports.sources import AudioSink, AudioSource, Clock, VideoSink, VideoSource, VideoTraits

__all__ = [
    "AudioSink",
    "AudioSource",
    "Clock",
    "Control",
    "MediaPeer",
    "MediaSender",
    "Panel",
    "Peer",
    "PeerFactory",
    "PeerListener",
    "PlayerPeer",
    "PushPeer",
    "RtpDelivery",
    "SettingsControl",
    "StoredFlag",
    "StreamControl",
    "VideoSink",
    "VideoSource",
    "VideoTraits",
]
