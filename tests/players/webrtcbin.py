"""Plays by WHEP with GStreamer's webrtcbin, for the system's Python: prints what has been decoded as JSON.

`/usr/bin/python3 webrtcbin.py URL FRAMES`
"""

import json
import sys
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

CAPS = {
    "video": "application/x-rtp,media=video,encoding-name=H264,payload=97,clock-rate=90000",
    "audio": "application/x-rtp,media=audio,encoding-name=OPUS,payload=98,clock-rate=48000",
}
DECODERS = {
    "video": "queue ! rtph264depay ! h264parse ! avdec_h264 ! fakesink name=sink signal-handoffs=true",
    "audio": "queue ! rtpopusdepay ! avdec_opus ! fakesink name=sink signal-handoffs=true",
}


class Player:
    def __init__(self, url, frames):
        self.url, self.frames, self.session = url, frames, None
        self.counts = {"video": 0, "audio": 0, "width": 0}
        self.loop = GLib.MainLoop()
        self.pipeline = Gst.Pipeline.new("player")
        self.peer = Gst.ElementFactory.make("webrtcbin")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.peer)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        self.peer.connect("pad-added", self.pad_added)
        for caps in CAPS.values():
            self.peer.emit(
                "add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(caps)
            )

    def play(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered, None))
        self.loop.run()
        self.pipeline.set_state(Gst.State.NULL)

    def offered(self, promise, _):
        self.reply = promise.get_reply()  # owns the offer
        self.peer.emit("set-local-description", self.reply.get_value("offer"), Gst.Promise.new())

    def gathered(self, *_):
        complete = self.peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if complete and self.session is None:
            self.session = ""
            GLib.idle_add(self.post)

    def post(self):
        offer = self.peer.get_property("local-description").sdp.as_text()
        request = urllib.request.Request(self.url, offer.encode(), {"Content-Type": "application/sdp"})
        with urllib.request.urlopen(request) as response:
            self.session = urllib.parse.urljoin(self.url, response.headers["Location"])
            _, sdp = GstSdp.SDPMessage.new_from_text(response.read().decode())
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", answer, Gst.Promise.new())

    def pad_added(self, _, pad):
        kind = pad.get_current_caps().get_structure(0).get_string("media")
        decoder = Gst.parse_bin_from_description(DECODERS[kind], True)
        decoder.get_by_name("sink").connect("handoff", self.decoded, kind)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def decoded(self, _, __, pad, kind):
        self.counts[kind] += 1
        if kind == "video":
            self.counts["width"] = pad.get_current_caps().get_structure(0).get_value("width")
        if self.counts["video"] >= self.frames and self.counts["audio"]:
            GLib.idle_add(self.loop.quit)


Gst.init(None)
player = Player(sys.argv[1], int(sys.argv[2]))
player.play()
with urllib.request.urlopen(urllib.request.Request(player.session, method="DELETE")) as response:
    print(json.dumps({**player.counts, "deleted": response.status}))
