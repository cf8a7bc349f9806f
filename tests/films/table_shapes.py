"""Films by size, pixel aspect ratio, orientation and colour range; and single pictures."""

from __future__ import annotations

from tests.films.changes import with_display_matrix
from tests.films.film import Film, made_from, pattern, silent

AAC = "-c:a aac -b:a 128k"
H264 = f"{AAC} -c:v libx264 -preset veryfast -g 25 -bf 2"
BASELINE = f"{AAC} -c:v libx264 -preset veryfast -g 25 -profile:v baseline"
ORIENTATIONS = {
    "rotated-90": (0, 1, -1, 0),
    "rotated-180": (-1, 0, 0, -1),
    "rotated-270": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside-down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed-180": (0, -1, -1, 0),
}
SIZES = [
    Film("odd.mkv", f"{AAC} -c:v libx264 -preset veryfast -pix_fmt yuv444p", pattern("321x181")),
    Film("odd.webm", "-c:a libopus -c:v libvpx-vp9 -b:v 2M -deadline realtime -cpu-used 8", pattern("319x179")),
    Film("odd.mov", "-c:a pcm_s16le -c:v mjpeg -q:v 3 -pix_fmt yuvj420p", pattern("161x121")),
    Film("tiny.mkv", "-c:a flac -c:v ffv1", pattern("64x36")),
    Film("wide.mp4", H264, pattern("640x96")),
    Film("tall.mp4", H264, pattern("120x480")),
    Film("square.mp4", H264, pattern("240x240")),
    Film("hd.mp4", H264, pattern("1280x720", seconds=1)),
    Film("hd-passes.mp4", BASELINE, pattern("1280x720", seconds=1)),
    Film("vertical-hd.mp4", H264, pattern("720x1280", seconds=1)),
]
PIXELS = [
    Film("anamorphic.mp4", f"{H264} -vf setsar=4/3"),
    Film("anamorphic-narrow.mkv", f"{H264} -vf setsar=8/9"),
    Film("anamorphic-baseline.mp4", f"{BASELINE} -vf setsar=4/3"),
    Film("anamorphic.mpg", "-c:a mp2 -c:v mpeg2video -q:v 3 -aspect 16:9", pattern("352x288")),
    Film("anamorphic-rotated.mp4", f"{H264} -vf setsar=4/3", change=with_display_matrix(0, 1, -1, 0)),
    Film("full-range.mp4", f"{H264} -pix_fmt yuvj420p"),
    Film("full-range-baseline.mp4", f"{BASELINE} -pix_fmt yuvj420p"),
    Film("bt709.mp4", f"{H264} -colorspace bt709 -color_primaries bt709 -color_trc bt709"),
    Film("hdr10.mp4", f"{H264} -pix_fmt yuv420p10le -colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084"),
]
TURNED = [Film(f"{name}.mp4", H264, change=with_display_matrix(*matrix)) for name, matrix in ORIENTATIONS.items()]
TURNED += [
    Film(f"{name}-baseline.mov", BASELINE, change=with_display_matrix(*ORIENTATIONS[name]))
    for name in ("rotated-90", "mirrored")
]
TURNED.append(
    made_from(
        "rotated.mkv",
        "-i turned.mp4 -c copy",
        Film("turned.mp4", H264, change=with_display_matrix(*ORIENTATIONS["rotated-90"])),
    )
)
ONE = "-frames:v 1"
SINGLE = [
    silent("picture.png", ONE),
    silent("alpha.png", f"{ONE} -pix_fmt rgba"),
    silent("gray-16bit.png", f"{ONE} -pix_fmt gray16be"),
    silent("picture.jpg", f"{ONE} -q:v 2 -pix_fmt yuvj420p"),
    silent("gray.jpg", f"{ONE} -q:v 2 -pix_fmt gray"),
    silent("picture.bmp", ONE),
    silent("picture.tiff", ONE),
    silent("picture.webp", ONE),
    silent("picture.gif", ONE),
    silent("one-picture.mp4", f"{H264.removeprefix(AAC)} {ONE}"),
    Film("one-picture-and-sound.mp4", f"{H264} {ONE}"),
]
FILMS = [*SIZES, *PIXELS, *TURNED, *SINGLE]
