"""Input of `/media`, and MP4 files."""

from __future__ import annotations

from zlib import crc32

from broadcaster.devices.fakes import canned
from broadcaster.errors import BadMessage
from broadcaster.media.mp4 import Fragment, Sample, fragment, init_segment, length_prefixed, tracks_of
from broadcaster.media.mp4_mend import whole_part
from broadcaster.media.mp4_plain import header
from broadcaster.media.mp4_reader import Mp4Error, read
from broadcaster.model.stream import Quality
from broadcaster.outputs.messages import fragment_message, init_messages
from broadcaster.outputs.tail import Tail
from broadcaster.signaling.media import Ack, parse_media_message
from broadcaster.web.short_texts import ShortTexts
from tests.rigs import ffprobe, films
from tests.unit.recordings import ended, reader

_SLICE = b"\0\0\1\x41abc"
_TRACKS = tracks_of(canned.pictures()[0], audio=True)
_SENT = Fragment(1, (Sample(length_prefixed(_SLICE), 0, 3000, True),), (Sample(b"\xf8\xff\xfe", 0, 960),))
MOVIE = init_segment(_TRACKS) + fragment(_SENT) + fragment(Fragment(2, (Sample(b"x", 3000, 1500, False),)))


def _masked(text: bytes) -> bytes:
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


ACKS = b"".join(_masked(b'{"type":"ack","count":%d}' % count) for count in (1, 2, 3))


def mp4(data: bytes) -> None:
    """Read a file; what was read must be the same after it has been written and read again."""
    try:
        movie = read(data)
    except Mp4Error:
        return
    assert movie.size <= len(data)
    again = init_segment(movie.tracks) + b"".join(map(fragment, movie.fragments))
    written = read(again)
    assert (written.tracks, written.fragments, written.size) == (movie.tracks, movie.fragments, len(again))


FILM = b"\x21\xff\x00\x82"
_JUDGED = 64
"""Of so many films one is read by ffprobe, which takes a hundred times as long as we do."""


def muxer(data: bytes) -> None:
    """Write a film that the input chooses: we must read the same, and so must ffprobe."""
    film = films.chosen(data[:50])
    file = films.written(film)
    movie = read(file)
    assert (movie.fragments, movie.tracks, movie.size) == (film, films.TRACKS, len(file))
    if ffprobe.IS_INSTALLED and crc32(data) % _JUDGED == 0:
        probed = ffprobe.probe(file)
        for kind in ffprobe.KINDS:
            assert ffprobe.packets_read(probed, kind) == ffprobe.packets_written(film, kind)


RECORDING = header(_TRACKS) + fragment(_SENT) + fragment(Fragment(2, (Sample(length_prefixed(_SLICE), 3000, 3000),)))


def recording(data: bytes) -> None:
    """Mend a file; what was found must be found again when the file was ended there."""
    try:
        index = whole_part(reader(data))
    except Mp4Error:
        return
    file = ended(data, index)
    again = whole_part(reader(file))
    assert (again.end, again.movie()) == (index.end, index.movie())


def messages(data: bytes) -> None:
    """Read what a player sends in chunks, and count its acknowledgements."""
    reader, tail = ShortTexts(), Tail()
    init = init_messages(_TRACKS, 0.0, Quality.FULL)
    for now in range(4):
        tail.add(fragment_message(_SENT, init), now / 10)
        tail.next(now / 10)
    half = len(data) // 2
    received = reader.feed(data[:half])
    if reader.rest is None:
        received += reader.feed(data[half:])
    for text in (*received, data):
        try:
            message = parse_media_message(text)
        except BadMessage:
            continue
        if isinstance(message, Ack):
            before = tail.acknowledged
            assert tail.ack(message.count, 1.0) is (before < message.count <= tail.sent)
    assert tail.acknowledged <= tail.sent
