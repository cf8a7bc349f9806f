"""The rows of the tables: each fault that was foreseen, each kind of bad input, and what must happen."""

from __future__ import annotations

from tests.faults.table import Row

FAULTS = {
    "1": Row(
        "a viewer vanishes without a close", "gone within 7.5 s of its last sign, clean 1 s later, no gap at others"
    ),
    "2": Row("half-open TCP; a viewer that stops reading", "gone within 7.5 s, at most 64 KiB buffered"),
    "3": Row(
        "network gone for 2, 5, 20 s",
        "picture back within 2 s (after 2 s), 4 s (after 5 and 20 s) of the link's return",
    ),
    "4": Row("the viewer's address changes", "picture within 5 s"),
    "5": Row("WebSocket cut, media alive", "session resumed, no gap in RTP"),
    "6": Row(
        "join storm: ten times as many as there are places",
        "exactly the limit is let in and plays within 5 s, no gap at others",
    ),
    "7": Row("500 joins and leaves", "no more descriptors, tasks, timers, peers; memory flat in the last third"),
    "8": Row("a viewer never answers; answers garbage", "clean within 11 s; at once"),
    "9": Row("camera missing at start", "failed with the reason, live within 5 s of plugging in"),
    "10": Row("camera lost while live", "viewers are told within 2 s, it comes back alone"),
    "11": Row("camera hangs; its close hangs too", "noticed within 2 s, opened anew; the process ends"),
    "12": Row("microphone lost, or none", "no gap in video, viewers are told"),
    "13": Row("garbage, huge pictures, a new size, time going back", "the next keyframe repairs it"),
    "14": Row("the wall clock jumps by an hour, by ten years", "no gap, sound and picture stay in step"),
    "15": Row("disk full or read-only, log full", "no gap, one warning"),
    "16": Row("loss of 5, 10, 20 %", "frozen at most 1, 5, 20 % of the time; back 2 s after it ends"),
    "17": Row(
        "bandwidth falls from 4 Mbit/s to 500 kbit/s, and back",
        "down within 3 s, back to 0.8 of `video.bitrate` within 40 s, round trip under 800 ms",
    ),
    "18": Row(
        "one viewer of five held to 200 kbit/s",
        "no gap at others; never a broken picture, back within 4 s of the limit's end",
    ),
    "19": Row("storm of PLI and NACK from one viewer", "one keyframe in 2 s for it, the others' rate within 20 %"),
    "20": Row("SIGTERM", "viewers get 1001, exit 0 within 3 s"),
    "21": Row(
        "kill -9 with 30 viewers", "restarted after 1 s: all live within 8 s, come back spread over more than 1 s"
    ),
    "load": Row(
        "the machine cannot keep up",
        "the bit rate falls to `video.bitrate_min`, then newcomers are told `full` and why; who watches stays, and"
        " newcomers come in again afterwards",
    ),
}

PAGE = {
    "ladder": Row(
        "nobody answers the page", "tries again after up to 0.5, 1, 2, 3, 3 s, at random; says so after 30 s"
    ),
    "take-over": Row("the page's WebSocket is cut", "the same session and peer connection, no freeze"),
    "sleep": Row("the machine sleeps for 20 s", "picture within 4 s of waking"),
    "hidden": Row("the tab is hidden for 15 s", "the same session, picture at once when it is shown"),
    "restart": Row("kill -9 with 30 pages, started anew after 1 s", "all come back, spread over more than 1 s"),
    "nat": Row("a viewer behind a NAT", "plays"),
    "relay": Row("the daemon behind a NAT, with TURN", "plays"),
    "noroute": Row("the daemon behind a NAT, without TURN", "the page says what is wrong, and what helps"),
}

INPUT = {
    "origin": Row(
        "a page of another origin, or of `null`, opens a WebSocket", "403; our own page and no browser: let in"
    ),
    "host": Row("a `Host` that is not ours", "421 naming `web.hosts`, and it gets into no header"),
    "frames": Row("no `hello` in 5 s; binary; over 64 KiB", "4000; 1003; 1009; clean"),
    "flood": Row("more than 30 messages in 10 s, bad ones counting three; 20 candidates an offer beside them", "4005"),
    "json": Row(
        "no object, missing and wrong fields, huge numbers, half a surrogate pair; an unknown type",
        "`bad-message` naming the field; ignored, logged once",
    ),
    "answer": Row(
        "SDP answers too long, with too many lines or codecs, other m-lines, no fingerprint, another setup",
        "`bad-answer`, peer connection closed, in under 5 ms",
    ),
    "candidates": Row(
        "candidates unparsable, below port 1024, loopback, multicast, broadcast, unspecified, our own address",
        "dropped and counted, nothing is sent there",
    ),
    "strangers": Row(
        "UDP from strangers: empty, junk, foreign DTLS, STUN without integrity, in floods",
        "ignored and counted, never seen by DTLS, no gap",
    ),
    "crowd": Row("over the limit of viewers; more WebSockets than that and 64", "told `full` with the limit, 4003"),
    "http": Row("headers of 9 kB, a hundred headers, no HTTP; half a request, silence", "400; gone after some seconds"),
    "close": Row("a viewer that does not answer our close frame", "cut off within 0.5 s"),
    "token": Row("wrong tokens, again and again", "4001; after five in a minute 4005; never in the log"),
    "log": Row("line breaks, terminal codes and long texts for the log", "escaped, cut at 200, ten lines a second"),
}

TABLES = {"faults": FAULTS, "page": PAGE, "input": INPUT}
"""By the name that their comments in README have."""
