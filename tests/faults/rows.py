"""The rows of the tables: each fault that was foreseen, each kind of bad input, and what is required."""

from __future__ import annotations

from tests.faults.table import Row

FAULTS = {
    "1": Row(
        "a viewer vanishes without closing its connection",
        "session closed within 7.5 s of its last message, clean 1 s later, no gap at other viewers",
    ),
    "2": Row("half-open TCP; a viewer that stops reading", "session closed within 7.5 s, at most 64 KiB buffered"),
    "3": Row(
        "network down for 2, 5, 20 s",
        "video resumes within 2 s (after 2 s down), 4 s (after 5 and 20 s down) of the network's return",
    ),
    "4": Row("the viewer's address changes", "video resumes within 5 s"),
    "5": Row("WebSocket cut, media unaffected", "session resumed, no gap in RTP"),
    "6": Row(
        "ten times as many viewers as allowed join within a second",
        "exactly the limit is admitted and receives video within 5 s, no gap at other viewers",
    ),
    "7": Row(
        "500 viewers join and leave",
        "no more descriptors, tasks, timers or peer connections; memory flat in the last third",
    ),
    "8": Row("a viewer never answers; answers with garbage", "clean within 11 s; at once"),
    "9": Row("camera missing at start", "failed with the reason, live within 5 s of plugging it in"),
    "10": Row("camera lost while live", "viewers are notified within 2 s, the stream recovers by itself"),
    "11": Row("camera hangs; closing it hangs too", "noticed within 2 s and reopened; the process exits"),
    "12": Row("microphone lost, or none", "no gap in video, viewers are notified"),
    "13": Row(
        "garbage, huge frames, a new frame size, timestamps that jump back", "video recovers at the next keyframe"
    ),
    "14": Row("the wall clock jumps by an hour, by ten years", "no gap, audio and video stay in sync"),
    "15": Row("disk full or read-only, log full", "no gap, one warning"),
    "16": Row("packet loss of 5, 10, 20 %", "frozen at most 1, 5, 20 % of the time; fluent 2 s after it ends"),
    "17": Row(
        "bandwidth drops from 4 Mbit/s to 500 kbit/s, and recovers",
        "bit rate reduced within 3 s, no queue left after 8 s (round-trip time under 800 ms), back at 0.8 of "
        "`video.bitrate` within 30 s",
    ),
    "18": Row(
        "one viewer of five is limited to 200 kbit/s",
        "no gap at other viewers; never a broken frame, fluent within 4 s of the limit's end",
    ),
    "19": Row(
        "PLI and NACK storm from one viewer", "one keyframe per 2 s for it, bit rate at other viewers within 20 %"
    ),
    "20": Row("SIGTERM", "viewers receive close code 1001, exit code 0 within 3 s"),
    "21": Row(
        "kill -9 with 30 viewers",
        "restarted after 1 s: all live within 8 s, reconnections spread over more than 1 s",
    ),
    "push": Row(
        "a media server to which the stream is pushed is killed and restarted",
        "connected again within 5 s, decoded, no gap at viewers (measured: connected after, and again after)",
    ),
    "load": Row(
        "the machine is overloaded",
        "the bit rate falls to `video.bitrate_min`, then new viewers are refused (`full`, with the reason); viewers who"
        " watch stay connected, and new viewers are accepted again afterwards",
    ),
}

PAGE = {
    "back-off": Row(
        "the daemon does not answer",
        "the page retries after random delays of up to 0.5, 1, 2, 3, 3 s; says so after 30 s",
    ),
    "resume": Row("the page's WebSocket is cut", "same session and peer connection, no freeze"),
    "sleep": Row("the viewer's computer sleeps for 20 s", "video within 4 s of waking"),
    "hidden": Row("the tab is hidden for 15 s", "same session, video at once when it is shown again"),
    "restart": Row("kill -9 with 30 pages, restarted after 1 s", "all reconnect, spread over more than 1 s"),
    "nat": Row("viewer behind a NAT", "plays"),
    "turn": Row("daemon behind a NAT, with TURN", "plays"),
    "no-turn": Row("daemon behind a NAT, without TURN", "plays over the web"),
    "no-route": Row("the same with `web.media` off", "the page says what is wrong, and what helps"),
    "no-udp": Row(
        "UDP is blocked, passes, and is blocked again",
        "picture and sound over the web within 4 s; less than 1 s between frames on return to WebRTC, then 8 s",
    ),
    "no-webrtc": Row("a browser without WebRTC", "picture and sound over the web within 2 s"),
    "web": Row(
        "a minute over the web",
        "capture to presented frame under 250 ms (median), no freeze but those of a machine that is late itself",
    ),
    "slow-web": Row(
        "slow link, or a slow proxy that buffers, for a stream of 2.5 Mbit/s over the web",
        "never more than 3 s late, under 0.5 s within 3 s of the network's return",
    ),
}

RECORDING = {
    "power": Row(
        "power cuts at random moments while recording",
        "at most 2.5 s lost each, every file plays, ready within 2 s",
    ),
    "kill": Row("kill -9 at random moments while recording", "at most 2.5 s lost each, every file plays"),
    "disk-full": Row("disk full, and space again later", "one warning, every file plays, recording again by itself"),
    "disk-frozen": Row("disk does not respond for 5 s", "no gap at viewers, nothing lost"),
    "disk-frozen-20": Row("the same while 20 watch", "no gap at viewers, loop lag under 20 ms (99th percentile)"),
    "disk-writes": Row(
        "nothing: half a minute of recording, at the block device",
        "at most one write a second, and 1.05 × the bytes of the file",
    ),
    "clip": Row(
        "nothing: the button is held for 1 s",
        "the clip can be played in the page within 3 s, and holds the 30 s before",
    ),
    "clip-disk": Row(
        "disk full, and not responding, while a part of recordings is copied into a clip",
        "an error says so, nothing is left behind, saving works again later",
    ),
    "downloads": Row("three recordings are downloaded, again and again, for 5 s", "no gap at viewers"),
    "downloads-20": Row("the same for 10 s while 20 watch", "no gap at viewers"),
    "seek": Row(
        "nothing: 40 seeks each in a file of 10 min, and in a day of 288 files",
        "the picture is there within 500 ms (95th percentile)",
    ),
    "disk-read-only": Row("disk becomes read-only, and is mounted again later", "the same as for a full disk"),
    "disk-pulled": Row("disk pulled, and plugged in again later", "the same, and nothing is written to the disk below"),
}

INPUT = {
    "origin": Row(
        "a page of another origin, or of `null`, opens a WebSocket", "403; our own page and other programs: accepted"
    ),
    "host": Row("a `Host` header that is not ours", "421 naming `web.hosts`; it is not copied into any header"),
    "frames": Row("no `hello` within 5 s; binary; over 64 KiB", "4000; 1003; 1009; clean"),
    "flood": Row(
        "more than 30 messages in 10 s, bad ones counting three; 20 candidates per offer do not count", "4005"
    ),
    "json": Row(
        "not an object, missing and wrong fields, huge numbers, half a surrogate pair; an unknown type",
        "`bad-message` naming the field; ignored, logged once",
    ),
    "answer": Row(
        "SDP answers too long, with too many lines or codecs, other m-lines, no fingerprint, another setup role",
        "`bad-answer`, peer connection closed, in under 5 ms",
    ),
    "candidates": Row(
        "candidates unparsable, below port 1024, loopback, multicast, broadcast, unspecified, our own address",
        "dropped and counted, nothing is sent there",
    ),
    "datagrams": Row(
        "UDP from unknown senders: empty, random, foreign DTLS, STUN without integrity, floods",
        "dropped and counted, never passed to DTLS, no gap",
    ),
    "full": Row(
        "more viewers than the limit; more than 64 WebSockets beyond that", "refused with `full` and the limit, 4003"
    ),
    "http": Row(
        "headers of 17 kB, a hundred headers, no HTTP; half a request, silence", "400; closed after a few seconds"
    ),
    "push-server": Row(
        "media servers to which the stream is pushed: never answer, hang, answer slowly, with 100 MB, with garbage"
        " instead of HTTP, TLS or SDP, redirect for ever, accept without a session, drop the connection",
        "the reason in the status, retried after 1, 2, 4 … 30 s, no gap at viewers",
    ),
    "close": Row("a viewer that does not answer our close frame", "disconnected within 0.5 s"),
    "offers": Row(
        "players' offers of 64 KiB and more, of 10 000 lines, cut off somewhere, without H.264",
        "400, 406, 413 with a reason in JSON, after less than 5 ms; no place taken",
    ),
    "sessions": Row(
        "players that open sessions without end, and never connect", "503; places are free again after 10 s"
    ),
    "patches": Row("a player that floods its session with PATCH requests", "30 in 10 s, then 429; 20 candidates"),
    "bodies": Row(
        "players' bodies of 100 MB, and bodies that do not arrive", "413 at once; 408 after 5 s; no place taken"
    ),
    "deletes": Row("DELETE of sessions that do not exist", "404, no session ends"),
    "retries": Row(
        "a player that retries a wrong token without end", "401, never in the log; others at its address may watch"
    ),
    "tickets": Row(
        "tickets for `/media` that are guessed, used, or of a session that is over", "4001; never in the log"
    ),
    "media-frames": Row("no ticket within 5 s at `/media`; binary; over 64 KiB", "4001; 1003; 1009; clean"),
    "acks": Row(
        "acknowledgements that are negative, huge, go back, exceed what was sent; floods of messages and pings",
        "ignored; ten in 10 s: 4005",
    ),
    "readers": Row(
        "a player that acknowledges nothing; one that stops reading",
        "4002 after 10 s; at most 200 kB unsent, in the kernel, too",
    ),
    "media-sockets": Row(
        "many WebSockets to `/media` without a ticket", "the oldest are closed (4005), players still join"
    ),
    "token": Row("different wrong tokens", "4001; after five in a minute 4005; never in the log"),
    "log": Row(
        "line breaks, terminal codes and long texts for the log",
        "escaped, truncated to 200 characters, ten lines per second",
    ),
}

TABLES = {"faults": FAULTS, "page": PAGE, "recording": RECORDING, "input": INPUT}
"""By the name in the comments in tests/README.md."""
