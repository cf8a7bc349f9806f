"""Recorded SDP: our offer, and the answers of Chromium 156 and of pion 3."""


def _lines(text: str) -> str:
    return text.replace("\n", "\r\n")


OFFER = _lines("""\
v=0
o=- 4004205226 4004205226 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic:WMS *
m=video 46770 UDP/TLS/RTP/SAVPF 101 102
c=IN IP4 192.0.2.2
a=sendonly
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
a=mid:0
a=msid:1c808e1f-1919-4550-9947-b9dcfde220b7 19a20e0d-cb2d-4a3a-a234-b2488fc04ef3
a=rtcp:9 IN IP4 0.0.0.0
a=rtcp-mux
a=ssrc-group:FID 3300287895 530732682
a=ssrc:3300287895 cname:513b6d31-5210-4d1b-a748-9626ce224ca2
a=ssrc:530732682 cname:513b6d31-5210-4d1b-a748-9626ce224ca2
a=rtpmap:101 H264/90000
a=rtcp-fb:101 nack
a=rtcp-fb:101 nack pli
a=rtcp-fb:101 goog-remb
a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:102 rtx/90000
a=fmtp:102 apt=101
a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 46770 typ host
a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 49538 typ host
a=end-of-candidates
a=ice-ufrag:PVEw
a=ice-pwd:qKqWcqOaqW7nbLgs8hS86Q
a=fingerprint:sha-256 59:3A:3C:F9:BD:39:38:E2:B6:79:4A:90:8E:78:F1:52:08:62:63:EE:51:0E:6A:9B:6C:63:8E:0D:31:8A:0F:49
a=setup:actpass
m=audio 46770 UDP/TLS/RTP/SAVPF 96
c=IN IP4 192.0.2.2
a=sendonly
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=mid:1
a=msid:1c808e1f-1919-4550-9947-b9dcfde220b7 7c6acfb5-fa94-42ae-a83e-4ffb58914e15
a=rtcp:9 IN IP4 0.0.0.0
a=rtcp-mux
a=ssrc:68306437 cname:513b6d31-5210-4d1b-a748-9626ce224ca2
a=rtpmap:96 opus/48000/2
a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 192.0.2.2 46770 typ host
a=candidate:d0bcf3d9c29a2bc887618212a1623bfa 1 udp 2130706431 fd00::2 49538 typ host
a=end-of-candidates
a=ice-ufrag:PVEw
a=ice-pwd:qKqWcqOaqW7nbLgs8hS86Q
a=fingerprint:sha-256 59:3A:3C:F9:BD:39:38:E2:B6:79:4A:90:8E:78:F1:52:08:62:63:EE:51:0E:6A:9B:6C:63:8E:0D:31:8A:0F:49
a=setup:actpass
""")

CHROMIUM = _lines("""\
v=0
o=- 5220336694881825132 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=msid-semantic: WMS
m=video 9 UDP/TLS/RTP/SAVPF 101 102
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:3801322825 1 udp 2113937151 89eb1ca4-d12e-4701-b5d3-8a5a0391860f.local 46614 typ host \
generation 0 network-cost 999
a=ice-ufrag:5/9E
a=ice-pwd:XohnFg6mgVOMGYhn++yn9BA8
a=ice-options:trickle
a=fingerprint:sha-256 9F:D3:8B:A1:26:F4:5A:31:FC:05:6B:23:31:DD:C5:75:A2:E3:15:53:15:13:1D:F8:7A:21:1B:10:BC:3D:D8:55
a=setup:active
a=mid:0
a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=recvonly
a=rtcp-mux
a=rtpmap:101 H264/90000
a=rtcp-fb:101 goog-remb
a=rtcp-fb:101 nack
a=rtcp-fb:101 nack pli
a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:102 rtx/90000
a=fmtp:102 apt=101
m=audio 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:5/9E
a=ice-pwd:XohnFg6mgVOMGYhn++yn9BA8
a=ice-options:trickle
a=fingerprint:sha-256 9F:D3:8B:A1:26:F4:5A:31:FC:05:6B:23:31:DD:C5:75:A2:E3:15:53:15:13:1D:F8:7A:21:1B:10:BC:3D:D8:55
a=setup:active
a=mid:1
a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
a=recvonly
a=rtcp-mux
a=rtpmap:96 opus/48000/2
a=fmtp:96 minptime=10;useinbandfec=1
""")

PION = _lines("""\
v=0
o=- 5880732382414621016 1795216430 IN IP4 0.0.0.0
s=-
t=0 0
a=fingerprint:sha-256 1B:60:0C:D6:39:92:48:F5:E8:6D:AD:E8:7F:9A:EC:ED:54:8E:D1:DC:D7:D2:19:A3:07:ED:4B:F9:6A:20:0A:95
a=group:BUNDLE 0 1
m=video 9 UDP/TLS/RTP/SAVPF 101
c=IN IP4 0.0.0.0
a=setup:active
a=mid:0
a=ice-ufrag:CYXNoStLxRsOcIvb
a=ice-pwd:nhEdONOFgXljiYCxJkJNaRReBorWILsT
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:101 H264/90000
a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtcp-fb:101 nack\x20
a=rtcp-fb:101 nack pli
a=rtcp-fb:101 goog-remb\x20
a=recvonly
a=candidate:2070692838 1 udp 2130706431 192.0.2.2 56512 typ host
a=candidate:2070692838 2 udp 2130706431 192.0.2.2 56512 typ host
a=candidate:3932658255 1 udp 2130706431 fd00::2 47636 typ host
a=candidate:3932658255 2 udp 2130706431 fd00::2 47636 typ host
a=end-of-candidates
m=audio 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=setup:active
a=mid:1
a=ice-ufrag:CYXNoStLxRsOcIvb
a=ice-pwd:nhEdONOFgXljiYCxJkJNaRReBorWILsT
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 opus/48000/2
a=recvonly
""")
