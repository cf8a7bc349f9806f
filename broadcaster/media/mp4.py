"""Fragmented MP4 (ISO/IEC 14496-12) with H.264 (14496-15, `avc1`) and Opus: writes init segments and fragments.

A file or a live stream is one init segment (`ftyp`, `moov`) followed by fragments (`moof`, `mdat`), each complete in
itself. Nothing that has been written changes later. Times count in ticks of each track, 90 kHz and 48 kHz, from the
same zero. `mp4_reader` reads what this module writes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from broadcaster.media.bits import PictureFormat, picture_format
from broadcaster.media.h264 import NalType, nal_type, split_nal_units
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE

VIDEO_TRACK, AUDIO_TRACK = 1, 2
SYNC_SAMPLE, DEPENDENT_SAMPLE = 0x02000000, 0x01010000
"""sample_flags (14496-12 §8.8.3.1): depends on no other sample; depends on others, and is no sync sample."""
CHANNELS = 2
"""Channels of the audio track. Mono packets are decoded to two equal channels (RFC 6716 §2.1.2), so the track need not
change when the number of microphones does."""

MOVIE_RATE = 1000
"""Ticks per second of the movie, in which its duration and edit lists count."""

_PRE_SKIP = 312
"""Samples until libopus's output is complete, as RFC 7845 §4.2 defines it."""
_DATA_OFFSET_PRESENT, _DURATION_PRESENT, _SIZE_PRESENT, _FLAGS_PRESENT = 0x001, 0x100, 0x200, 0x400
VIDEO_RUN = _DATA_OFFSET_PRESENT | _DURATION_PRESENT | _SIZE_PRESENT | _FLAGS_PRESENT
AUDIO_RUN = _DATA_OFFSET_PRESENT | _DURATION_PRESENT | _SIZE_PRESENT
"""Flags of `trun` (§8.8.8): what each row of samples contains."""
_DEFAULT_BASE_IS_MOOF = 0x020000
_MATRIX = struct.pack(">9L", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED_LANGUAGE = 0x55C4
_OMITTED = frozenset({NalType.SPS, NalType.PPS, NalType.AUD, NalType.FILLER})
"""`avc1` has its parameter sets in the init segment only (14496-15 §5.3.3.1); delimiters and filler are not needed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture with length-prefixed NAL units, or an Opus packet; time and duration in ticks of its track."""

    data: bytes
    time: int
    duration: int
    keyframe: bool = True


@dataclass(frozen=True, slots=True)
class Tracks:
    """What an init segment describes: the parameter sets and format of the video, and whether there is audio."""

    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    format: PictureFormat
    audio: bool = True

    @property
    def mime_type(self) -> str:
        """The MIME type with its codecs (RFC 6381 §3.3)."""
        return f'video/mp4; codecs="avc1.{self.sps[0][1:4].hex()}{",opus" if self.audio else ""}"'


@dataclass(frozen=True, slots=True)
class Fragment:
    """One `moof` and its `mdat`; the samples of a track follow each other without a gap."""

    number: int
    video: tuple[Sample, ...] = ()
    audio: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleTables:
    """What `moov` tells about the samples of a track: the boxes of `stbl` behind `stsd`, and the edit list.

    `duration` is that of the samples in ticks of the track, `movie_duration` that of the track in `MOVIE_RATE`.
    """

    boxes: bytes
    edits: bytes = b""
    duration: int = 0
    movie_duration: int = 0


def tracks_of(keyframe: bytes, *, audio: bool) -> Tracks:
    """Return the tracks of a stream that begins with this access unit. Raises ValueError if its SPS cannot be used."""
    sets: dict[int, list[bytes]] = {NalType.SPS: [], NalType.PPS: []}
    for nal in split_nal_units(keyframe):
        kind = nal_type(nal)
        if kind in (NalType.SLICE, NalType.IDR):
            break
        if kind in sets and (data := bytes(nal)) not in sets[kind]:
            sets[kind].append(data)
    sps, pps = tuple(sets[NalType.SPS]), tuple(sets[NalType.PPS])
    if not sps or not pps or len(sps) > 31 or len(pps) > 255:
        raise ValueError("the keyframe has no SPS or no PPS, or too many")
    if max(map(len, sps + pps)) > 0xFFFF:
        raise ValueError("a parameter set is too long")
    return Tracks(sps, pps, picture_format(sps[0]), audio)


def length_prefixed(unit: bytes) -> bytes:
    """Return an access unit with lengths instead of start codes (14496-15 §5.3.2), without parameter sets."""
    parts: list[bytes | memoryview] = []
    for nal in split_nal_units(unit):
        if nal_type(nal) not in _OMITTED:
            parts += (struct.pack(">L", len(nal)), nal)
    return b"".join(parts)


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box (14496-12 §4.2)."""
    return b"".join((struct.pack(">L4s", 8 + sum(map(len, parts)), kind), *parts))


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Return a box with a version and flags."""
    return box(kind, struct.pack(">L", version << 24 | flags), *parts)


def init_segment(tracks: Tracks) -> bytes:
    """Return `ftyp` and `moov`. The durations are 0, so that players take the stream as live."""
    defaults = [_track_defaults(VIDEO_TRACK, DEPENDENT_SAMPLE)]
    defaults += [_track_defaults(AUDIO_TRACK, SYNC_SAMPLE)] if tracks.audio else []
    movie = movie_box(tracks, _IN_FRAGMENTS, _IN_FRAGMENTS if tracks.audio else None, box(b"mvex", *defaults))
    return box(b"ftyp", b"iso6", struct.pack(">L", 0x200), b"isomiso6avc1mp41") + movie


def movie_box(tracks: Tracks, video: SampleTables, audio: SampleTables | None, extends: bytes = b"") -> bytes:
    """Return `moov`; the audio track is omitted if there are no tables for it. `extends` is the `mvex` box, if any."""
    duration = max(video.movie_duration, audio.movie_duration if audio is not None else 0)
    header = (
        struct.pack(">4LLH10x", 0, 0, MOVIE_RATE, duration, 0x10000, 0x100),
        _MATRIX,
        bytes(24),
        struct.pack(">L", 3),
    )
    boxes = [_video_track(tracks, video)] + ([] if audio is None else [_audio_track(audio)])
    return box(b"moov", full_box(b"mvhd", 0, 0, *header), *boxes, extends)


def fragment(content: Fragment) -> bytes:
    """Return the bytes of a fragment."""
    video, audio = content.video, content.audio
    # The size of the moof does not depend on the offsets in it, so it is known beforehand.
    size = 8 + 16 + (_run_size(video, 12) if video else 0) + (_run_size(audio, 8) if audio else 0)
    parts = [full_box(b"mfhd", 0, 0, struct.pack(">L", content.number & 0xFFFFFFFF))]
    if video:
        rows = [struct.pack(">3L", s.duration, len(s.data), _sample_flags(s)) for s in video]
        parts.append(_track_fragment(VIDEO_TRACK, video[0].time, VIDEO_RUN, size + 8, rows))
    if audio:
        rows = [struct.pack(">2L", sample.duration, len(sample.data)) for sample in audio]
        offset = size + 8 + sum(len(sample.data) for sample in video)
        parts.append(_track_fragment(AUDIO_TRACK, audio[0].time, AUDIO_RUN, offset, rows))
    return box(b"moof", *parts) + box(b"mdat", *(sample.data for sample in (*video, *audio)))


def _sample_flags(sample: Sample) -> int:
    return SYNC_SAMPLE if sample.keyframe else DEPENDENT_SAMPLE


def _run_size(samples: Sequence[Sample], row: int) -> int:
    """Return the size of a `traf` with `tfhd` (16 bytes), `tfdt` (20) and `trun` (20, and a row for each sample)."""
    return 8 + 16 + 20 + 20 + row * len(samples)


def _track_fragment(track: int, time: int, flags: int, offset: int, rows: Sequence[bytes]) -> bytes:
    return box(
        b"traf",
        full_box(b"tfhd", 0, _DEFAULT_BASE_IS_MOOF, struct.pack(">L", track)),
        full_box(b"tfdt", 1, 0, struct.pack(">Q", time)),
        full_box(b"trun", 0, flags, struct.pack(">LL", len(rows), offset), *rows),
    )


def _track_defaults(track: int, flags: int) -> bytes:
    return full_box(b"trex", 0, 0, struct.pack(">5L", track, 1, 0, 0, flags))


def _video_track(tracks: Tracks, content: SampleTables) -> bytes:
    width, height = tracks.format.width, tracks.format.height
    entry = box(
        b"avc1",
        struct.pack(">6xH16xHHLL4xH32xHh", 1, width, height, 0x480000, 0x480000, 1, 24, -1),
        box(b"avcC", decoder_configuration(tracks)),
    )
    size = struct.pack(">LL", width << 16, height << 16)
    return _track(VIDEO_TRACK, VIDEO_RATE, b"vide", full_box(b"vmhd", 0, 1, bytes(8)), entry, size, content)


def decoder_configuration(tracks: Tracks) -> bytes:
    """Return the AVCDecoderConfigurationRecord (14496-15 §5.3.3.1)."""
    first = tracks.sps[0]
    parts = [b"\x01", first[1:4], b"\xff", bytes([0xE0 | len(tracks.sps)]), *_sized(tracks.sps)]
    parts += [bytes([len(tracks.pps)]), *_sized(tracks.pps)]
    if first[1] in (100, 110, 122, 144):
        chroma, luma, chroma_bits = tracks.format.chroma_format, tracks.format.luma_bits, tracks.format.chroma_bits
        parts.append(bytes([0xFC | chroma, 0xF8 | luma - 8, 0xF8 | chroma_bits - 8, 0]))
    return b"".join(parts)


def _sized(sets: Sequence[bytes]) -> list[bytes]:
    return [struct.pack(">H", len(data)) + data for data in sets]


def _audio_track(content: SampleTables) -> bytes:
    """Return the Opus track ("Encapsulation of Opus in ISO BMFF" §4.3); capture times contain the encoder's delay."""
    entry = box(
        b"Opus",
        struct.pack(">6xH8xHH4xL", 1, CHANNELS, 16, AUDIO_RATE << 16),
        box(b"dOps", struct.pack(">BBHLhB", 0, CHANNELS, _PRE_SKIP, AUDIO_RATE, 0, 0)),
    )
    return _track(AUDIO_TRACK, AUDIO_RATE, b"soun", full_box(b"smhd", 0, 0, bytes(4)), entry, bytes(8), content)


def _track(
    number: int, rate: int, handler: bytes, media: bytes, entry: bytes, size: bytes, content: SampleTables
) -> bytes:
    volume = 0x100 if handler == b"soun" else 0
    header = struct.pack(">5L8xHHH2x", 0, 0, number, 0, content.movie_duration, 0, 0, volume)
    return box(
        b"trak",
        full_box(b"tkhd", 0, 3, header, _MATRIX, size),
        content.edits,
        box(
            b"mdia",
            full_box(b"mdhd", 0, 0, struct.pack(">4LHH", 0, 0, rate, content.duration, _UNDETERMINED_LANGUAGE, 0)),
            full_box(b"hdlr", 0, 0, bytes(4), handler, bytes(12), b"\0"),
            box(
                b"minf",
                media,
                box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">L", 1), full_box(b"url ", 0, 1))),
                box(b"stbl", full_box(b"stsd", 0, 0, struct.pack(">L", 1), entry), content.boxes),
            ),
        ),
    )


_IN_FRAGMENTS = SampleTables(
    b"".join(
        full_box(name, 0, 0, bytes(size)) for name, size in ((b"stts", 4), (b"stsc", 4), (b"stsz", 8), (b"stco", 4))
    )
)
"""Empty tables: all samples are in fragments."""
