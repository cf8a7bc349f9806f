"""Films by timing: frame rates, pauses, edit lists, offsets, clocks that jump."""

from __future__ import annotations

from tests.films.changes import concatenated
from tests.films.film import Film, made_from, pattern, sweep

H264 = "-c:a aac -b:a 128k -c:v libx264 -preset veryfast -g 25 -bf 2"
BASELINE = "-c:a aac -b:a 128k -c:v libx264 -preset veryfast -g 25 -profile:v baseline"
PLAIN = Film("plain.mp4", H264)
LONG = Film("long.mp4", H264, pattern(seconds=3), sweep(seconds=3))
LONG_BASELINE = Film("long.mp4", BASELINE, pattern(seconds=3), sweep(seconds=3))
APART = "-map 0:v -map 1:a -c copy"


def rate(name: str, value: str, output: str = H264, seconds: float = 2) -> Film:
    """Return a film with a frame rate of `value` fps."""
    return Film(name, output, pattern("320x180", value, seconds), sweep(seconds=seconds))


RATES = [
    rate("1fps.mp4", "1", seconds=3),
    rate("2fps-passes.mp4", "2", BASELINE, 3),
    rate("5fps.webm", "5", "-c:a libopus -c:v libvpx -b:v 1M -deadline realtime -cpu-used 8"),
    rate("12.5fps.mkv", "25/2"),
    rate("15fps.avi", "15", "-c:a libmp3lame -c:v mpeg4 -q:v 3"),
    rate("film.mp4", "24000/1001"),
    rate("ntsc.mkv", "30000/1001"),
    rate("50fps.ts", "50"),
    rate("59.94fps.mov", "60000/1001"),
    rate("60fps-passes.mp4", "60", BASELINE),
    rate("120fps.mp4", "120"),
]
VARIABLE = "-vf settb=1/1000,setpts='(N*0.03+0.25*floor(N/10))/TB' -fps_mode passthrough -enc_time_base 1/1000 -t 2.4"
PAUSE = "-vf settb=1/1000,setpts='(N/25+1.4*gte(N\\,20))/TB' -fps_mode passthrough -enc_time_base 1/1000"
PACE = [
    Film("variable.mkv", f"{H264} {VARIABLE}"),
    Film("variable.mp4", f"{H264} {VARIABLE}"),
    Film("variable-passes.mp4", f"{BASELINE} {VARIABLE}"),
    Film("pause.mp4", f"{H264} {PAUSE}"),
    Film("pause.mkv", f"{BASELINE} {PAUSE}"),
    Film("telecine.mpg", "-c:a mp2 -c:v mpeg2video -q:v 3 -vf telecine -r 30000/1001", pattern(rate="24000/1001")),
]
CUTS = [
    made_from("edit-list.mp4", "-ss 0.7 -i long.mp4 -c copy", LONG),
    made_from("edit-list.mov", "-ss 0.7 -i long.mp4 -c copy", LONG),
    made_from("edit-list-baseline.mp4", "-ss 0.7 -i long.mp4 -c copy", LONG_BASELINE),
    made_from("edit-list-end.mp4", "-ss 0.5 -t 1.3 -i long.mp4 -c copy", LONG),
    made_from("cut.mkv", "-ss 0.7 -i long.mp4 -c copy", LONG),
    made_from("cut.ts", "-ss 0.7 -i long.mp4 -c copy", LONG),
    made_from("cut.avi", "-ss 1 -i long.mp4 -c copy", LONG_BASELINE),
    made_from("sound-cut.mp4", "-i long.mp4 -ss 0.4 -i long.mp4 " + APART, LONG),
]
OFFSETS = [
    made_from("sound-later.mp4", f"-i plain.mp4 -itsoffset 0.6 -i plain.mp4 {APART}", PLAIN),
    made_from("sound-later.mkv", f"-i plain.mp4 -itsoffset 0.6 -i plain.mp4 {APART}", PLAIN),
    made_from("picture-later.mp4", f"-itsoffset 0.6 -i plain.mp4 -i plain.mp4 {APART}", PLAIN),
    made_from("picture-later.mkv", f"-itsoffset 0.6 -i plain.mp4 -i plain.mp4 {APART}", PLAIN),
    Film("sound-shorter.mp4", H264, audio=sweep(seconds=1.2)),
    Film("sound-longer.mp4", H264, audio=sweep(seconds=3)),
    Film("sound-a-little-longer.mp4", H264, audio=sweep(seconds=2.15)),
    made_from("starts-at-an-hour.ts", "-i plain.mp4 -c copy -output_ts_offset 3600", PLAIN),
    made_from("starts-at-an-hour.mkv", "-i plain.mp4 -c copy -output_ts_offset 3600", PLAIN),
    made_from("starts-late.mp4", "-i plain.mp4 -c copy -output_ts_offset 1.5", PLAIN),
    made_from("negative.mp4", "-i plain.mp4 -c copy -output_ts_offset -0.5 -avoid_negative_ts disabled", PLAIN),
    made_from("clock-wraps.ts", "-i plain.mp4 -c copy -muxdelay 0 -output_ts_offset 95442.7", PLAIN),
]
FIRST = Film("first.ts", H264, pattern(seconds=1.2), sweep(seconds=1.15))
SMALLER = Film("second.ts", H264, pattern("240x136", seconds=1.2), sweep(seconds=1.15))
LATER = Film("second.ts", f"{H264} -output_ts_offset 5000", pattern(seconds=1.2), sweep(seconds=1.15))
# ffmpeg shifts the audio of each part by another 25 ms relative to the video.
JOINED = [
    Film("clock-starts-again.ts", "", None, None, (FIRST,), concatenated("first.ts", "first.ts"), min_correlation=0.45),
    Film("clock-jumps.ts", "", None, None, (FIRST, LATER), concatenated("first.ts", "second.ts"), min_correlation=0.45),
    Film(
        "changes-size.ts", "", None, None, (FIRST, SMALLER), concatenated("first.ts", "second.ts"), min_correlation=0.45
    ),
]
FILMS = [*RATES, *PACE, *CUTS, *OFFSETS, *JOINED]
