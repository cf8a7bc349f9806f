"""Files that are truncated, damaged, or not media files."""

from __future__ import annotations

from tests.films.changes import damaged, deleted, folder, replaced, surrounded, truncated
from tests.films.film import Film, made_from, silent

H264 = "-c:a aac -b:a 128k -c:v libx264 -preset veryfast -g 25 -bf 2"
BASELINE = "-c:a aac -b:a 128k -c:v libx264 -preset veryfast -g 25 -profile:v baseline"
NOISE = bytes((index * index * 31 + index * 7) >> 3 & 0xFF for index in range(50_000))
PAGE = b"<!DOCTYPE html><html><body><h1>404 Not Found</h1></body></html>\n"


def no_film(name: str, data: bytes, refused: str) -> Film:
    """Return a file with these bytes as its content."""
    return Film(name, "", None, None, change=replaced(data), refused=refused)


CUT = [
    Film("cut-off-faststart.mp4", f"{H264} -movflags +faststart", change=truncated(0.6)),
    Film(
        "cut-off-fragmented.mp4",
        f"{H264} -movflags frag_keyframe+empty_moov+default_base_moof",
        change=truncated(0.6),
        missing=3,
    ),
    Film("cut-off.mkv", H264, change=truncated(0.6)),
    Film("cut-off.ts", H264, change=truncated(0.6)),
    Film("cut-off.avi", "-c:a libmp3lame -c:v mpeg4 -q:v 3", change=truncated(0.6)),
    Film("cut-off.flv", H264, change=truncated(0.6)),
    Film("cut-off.ogv", "-c:a libvorbis -c:v libtheora -q:v 8", change=truncated(0.6)),
    Film("cut-off.mpg", "-c:a mp2 -c:v mpeg2video -q:v 3", change=truncated(0.6)),
    silent("cut-off.h264", BASELINE, change=truncated(0.6), missing=1),
    silent("cut-off.jpg", "-frames:v 1 -q:v 2 -pix_fmt yuvj420p", change=truncated(0.8)),
]
DAMAGED = [
    Film("damaged-sound.wmv", "-c:a wmav2 -c:v wmv2 -q:v 3", change=damaged(0.995, 200), missing=2),
    Film("junk-at-the-end.mp4", H264, change=surrounded(b"", NOISE)),
    Film("junk-at-the-end.ts", H264, change=surrounded(b"", NOISE)),
    Film("junk-at-the-beginning.ts", H264, change=surrounded(NOISE[:999], b"")),
]
REFUSED = [
    Film("cut-off.mp4", H264, change=truncated(0.6), refused="is incomplete: it has no index (moov)"),
    Film("cut-off.mov", H264, change=truncated(0.4), refused="is incomplete: it has no index (moov)"),
    Film(
        "only-the-beginning.mp4",
        f"{H264} -movflags +faststart",
        change=truncated(0.02),
        refused="its video (h264) cannot be decoded",
    ),
    Film("only-the-beginning.mkv", H264, change=replaced(b"\x1a\x45\xdf\xa3" + bytes(20)), refused="Invalid data"),
    Film("index-alone.mp4", f"{H264} -movflags empty_moov -t 0.001 -frames:v 0", refused=""),
    no_film("empty.mp4", b"", "is empty"),
    no_film("empty", b"", "is empty"),
    no_film("zeros.mp4", bytes(100_000), "Invalid data"),
    no_film("noise.mp4", NOISE, ""),
    no_film("noise.mkv", NOISE, ""),
    no_film("page.mp4", PAGE, "Invalid data"),
    no_film("text.mov", b"Hello, world.\n" * 100, "Invalid data"),
    Film("missing.mp4", "", None, None, change=deleted, refused="No such file or directory"),
    Film("folder.mp4", "", None, None, change=folder, refused="only regular files can be played"),
    made_from(
        "subtitles-alone.mkv",
        "-i words.srt -c copy",
        no_film("words.srt", b"1\n00:00:00,200 --> 00:00:01,500\nHello\n", ""),
        refused="has neither video nor audio",
    ),
]
FILMS = [*CUT, *DAMAGED, *REFUSED]
