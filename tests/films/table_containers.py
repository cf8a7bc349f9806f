"""Films by container, name, and streams besides video and audio."""

from __future__ import annotations

from tests.films.changes import replaced
from tests.films.film import Film, made_from, pattern, silent, sweep

H264 = "-c:a aac -b:a 128k -c:v libx264 -preset veryfast -g 25 -bf 2"
BASELINE = "-c:a aac -b:a 128k -c:v libx264 -preset veryfast -g 25 -profile:v baseline"
FRAGMENTS = "-movflags frag_keyframe+empty_moov+default_base_moof"
SUBTITLES = b"1\n00:00:00,200 --> 00:00:01,500\nHello\n"

CONTAINERS = [
    Film("faststart.mp4", f"{H264} -movflags +faststart"),
    Film("fragmented.mp4", f"{H264} {FRAGMENTS}"),
    Film("fragmented-passes.mp4", f"{BASELINE} {FRAGMENTS}"),
    Film("dash.mp4", f"{H264} -movflags dash+frag_keyframe+delay_moov"),
    Film("smooth.ismv", H264),
    Film("h264.mov", H264),
    Film("h264.m4v", H264),
    Film("h264.3gp", H264),
    Film("h264.3g2", H264),
    Film("h264.f4v", H264),
    Film("h264.mkv", H264),
    Film("live.mkv", f"{H264} -live 1"),
    Film("passes.mkv", BASELINE),
    Film("h264.avi", H264),
    Film("annexb.avi", f"{H264} -bsf:v h264_mp4toannexb"),
    Film("h264.ts", H264),
    Film("passes.ts", BASELINE),
    Film("h264.m2ts", H264),
    Film("h264.flv", H264),
    Film("h264.asf", H264),
    Film("h264.nut", H264),
    Film("hevc.ts", "-c:a aac -c:v libx265 -preset ultrafast -x265-params log-level=none"),
    Film("vp8.mkv", "-c:a libvorbis -c:v libvpx -b:v 2M -deadline realtime -cpu-used 8"),
    silent("vp9.ivf", "-c:v libvpx-vp9 -b:v 2M -deadline realtime -cpu-used 8"),
    Film("studio.mxf", "-c:a pcm_s16le -c:v mpeg2video -q:v 3"),
    Film("dvd.vob", "-c:a ac3 -c:v mpeg2video -q:v 3 -bf 2 -f vob"),
    Film("camera.dv", "-target pal-dv", pattern("720x576")),
    Film("flac-theora.ogg", "-c:a flac -c:v libtheora -q:v 8"),
    silent("raw.h264", BASELINE),
    silent("raw-b.h264", H264),
    silent("raw.hevc", "-c:v libx265 -preset ultrafast -x265-params log-level=none"),
    silent("raw.m2v", "-c:v mpeg2video -q:v 3"),
    silent("raw.y4m", "-pix_fmt yuv420p"),
    silent("motion.mjpeg", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"),
    silent("clip.gif", "-loop 0", pattern("160x90", "10")),
    silent("clip.apng", "-plays 0", pattern("160x90", "10")),
]
NAMES = [
    Film("no-suffix", f"{H264} -f mp4"),
    Film("renamed.avi", f"{H264} -f mp4"),
    Film("renamed.mp4", f"{H264} -f matroska"),
    Film("with spaces, ümlaut & 100%d.mp4", H264),
    Film("colon: 'quoted' [1].mp4", H264),
]
SMALL = silent("small.mp4", "-c:v libx264 -preset veryfast", pattern("160x90"))
PLAIN = Film("plain.mp4", H264)
MONO = Film("mono.m4a", "-c:a aac", None, sweep("mono", 44100))
WORDS = Film("words.srt", "", None, None, change=replaced(SUBTITLES))
COVER = silent("cover.png", "-frames:v 1", pattern("500x500"))
STREAMS = [
    made_from(
        "two-pictures.mkv",
        "-i small.mp4 -i plain.mp4 -map 0:v -map 1 -c copy -disposition:v:0 0 -disposition:v:1 default",
        SMALL,
        PLAIN,
    ),
    made_from(
        "two-sounds.mkv",
        "-i plain.mp4 -i mono.m4a -map 0:v -map 1:a -map 0:a -c copy -disposition:a:0 0 -disposition:a:1 default",
        PLAIN,
        MONO,
    ),
    made_from("sound-first.mp4", "-i plain.mp4 -map 0:a -map 0:v -c copy", PLAIN),
    made_from("subtitles.mkv", "-i plain.mp4 -i words.srt -c copy", PLAIN, WORDS),
    made_from("subtitles.mp4", "-i plain.mp4 -i words.srt -c copy -c:s mov_text", PLAIN, WORDS),
    made_from(
        "cover.mp4", "-i plain.mp4 -i cover.png -map 0 -map 1 -c copy -disposition:v:1 attached_pic", PLAIN, COVER
    ),
    made_from(
        "attachment.mkv", "-i plain.mp4 -c copy -attach cover.png -metadata:s:t mimetype=image/png", PLAIN, COVER
    ),
    made_from("timecode.mov", "-i plain.mp4 -c copy -timecode 10:00:00:00", PLAIN),
    made_from("programs.ts", "-i plain.mp4 -map 0 -c copy -program title=a:st=0:st=1 -program title=b:st=1", PLAIN),
    made_from("complete.m3u8", "-i plain.mp4 -c copy -hls_time 1 -hls_list_size 0 -hls_playlist_type vod", PLAIN),
]
FILMS = [*CONTAINERS, *NAMES, *STREAMS]
