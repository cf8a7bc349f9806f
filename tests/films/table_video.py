"""Films by video codec, profile and pixel format."""

from __future__ import annotations

from tests.films.film import Film, pattern, silent

AAC = "-c:a aac -b:a 128k"
X264 = f"{AAC} -c:v libx264 -preset veryfast -g 25"
X265 = f"{AAC} -c:v libx265 -preset ultrafast -x265-params log-level=none"
VPX = "-c:a libopus -b:v 2M -deadline realtime -cpu-used 8"
PCM = "-c:a pcm_s16le"
CIF = pattern("352x288")

H264 = [
    Film("baseline.mp4", f"{X264} -profile:v baseline"),
    Film("main.mp4", f"{X264} -profile:v main -bf 2"),
    Film("high.mp4", f"{X264} -profile:v high -bf 2"),
    Film("high10.mp4", f"{X264} -profile:v high10 -pix_fmt yuv420p10le"),
    Film("high422.mkv", f"{X264} -profile:v high422 -pix_fmt yuv422p"),
    Film("high422-10bit.mov", f"{X264} -pix_fmt yuv422p10le"),
    Film("high444.mp4", f"{X264} -profile:v high444 -pix_fmt yuv444p"),
    Film("lossless-rgb.mkv", f"{AAC} -c:v libx264rgb -preset veryfast -qp 0"),
    Film("gray.mkv", f"{X264} -pix_fmt gray"),
    Film("many-b.mp4", f"{X264} -bf 8 -b_strategy 0 -refs 8"),
    Film("open-gop.mkv", f"{X264} -bf 3 -b_strategy 0 -x264-params open-gop=1:keyint=12"),
    Film("intra-only.mp4", f"{X264} -g 1"),
    Film("intra-refresh.mp4", f"{X264} -x264-params intra-refresh=1:keyint=20"),
    Film("one-keyframe.mp4", f"{X264} -g 1000 -sc_threshold 0"),
    Film("interlaced.mp4", f"{X264} -flags +ilme+ildct -x264-params tff=1"),
    Film("slices.mp4", f"{X264} -profile:v baseline -slices 4"),
    silent("no-sound.mp4", X264.removeprefix(AAC)),
]
MODERN = [
    Film("hevc.mp4", f"{X265} -tag:v hvc1"),
    Film("hevc10.mkv", f"{X265} -pix_fmt yuv420p10le"),
    Film("hevc422.mkv", f"{X265} -pix_fmt yuv422p10le"),
    Film("vp8.webm", f"{VPX} -c:v libvpx"),
    Film("vp8-altref.webm", "-c:a libvorbis -c:v libvpx -b:v 2M -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16"),
    Film("vp9.webm", f"{VPX} -c:v libvpx-vp9"),
    Film("vp9-10bit.webm", f"{VPX} -c:v libvpx-vp9 -pix_fmt yuv420p10le"),
    Film("vp9-444.webm", f"{VPX} -c:v libvpx-vp9 -pix_fmt yuv444p"),
    Film("vp9-alpha.webm", f"{VPX} -c:v libvpx-vp9 -pix_fmt yuva420p"),
    Film("vp9-altref.webm", "-c:a libopus -c:v libvpx-vp9 -b:v 2M -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16"),
    Film("av1.mp4", f"{AAC} -c:v libsvtav1 -preset 12"),
    Film("av1.mkv", "-c:a libopus -c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 2M"),
]
OLD = [
    Film("mpeg4.mp4", f"{AAC} -c:v mpeg4 -q:v 3"),
    Film("xvid.avi", "-c:a libmp3lame -c:v libxvid -q:v 3 -bf 2"),
    Film("divx3.avi", f"{PCM} -c:v msmpeg4 -q:v 3"),
    Film("msmpeg4v2.avi", f"{PCM} -c:v msmpeg4v2 -q:v 3"),
    Film("mpeg1.mpg", "-c:a mp2 -c:v mpeg1video -q:v 3"),
    Film("mpeg2.mpg", "-c:a mp2 -c:v mpeg2video -q:v 3 -bf 2"),
    Film("mpeg2-422.ts", "-c:a mp2 -c:v mpeg2video -q:v 3 -pix_fmt yuv422p"),
    Film("mpeg2-interlaced.ts", "-c:a mp2 -c:v mpeg2video -q:v 3 -flags +ilme+ildct"),
    Film("wmv1.wmv", "-c:a wmav2 -c:v wmv1 -q:v 3"),
    Film("wmv2.wmv", "-c:a wmav2 -c:v wmv2 -q:v 3"),
    Film("theora.ogv", "-c:a libvorbis -c:v libtheora -q:v 8"),
    Film("h263.3gp", f"{AAC} -c:v h263 -q:v 3", CIF),
    Film("h261.mkv", f"{AAC} -c:v h261 -q:v 3", CIF),
    Film("sorenson.flv", "-c:a libmp3lame -ar 44100 -c:v flv -q:v 3"),
    Film("screen.flv", "-c:a libmp3lame -ar 44100 -c:v flashsv"),
    Film("svq1.mov", f"{PCM} -c:v svq1 -q:v 3"),
    Film("real.rm", "-c:a ac3 -c:v rv20 -q:v 3", CIF),
    Film("dv.avi", f"{PCM} -c:v dvvideo -pix_fmt yuv420p", pattern("720x576")),
    silent("cinepak.avi", "-c:v cinepak", pattern("160x120", "10", 1), noise=12),
    silent("msvideo1.avi", "-c:v msvideo1", noise=14),
    Film("animation.mov", f"{PCM} -c:v qtrle"),
    Film("dirac.mkv", f"{PCM} -c:v vc2 -pix_fmt yuv420p"),
    Film("snow.avi", f"{PCM} -c:v snow -q:v 3"),
]
STUDIO = [
    Film("mjpeg.avi", f"{PCM} -c:v mjpeg -q:v 3 -pix_fmt yuvj420p"),
    Film("mjpeg-444.mov", f"{PCM} -c:v mjpeg -q:v 3 -pix_fmt yuvj444p"),
    Film("prores.mov", f"{PCM} -c:v prores_ks -profile:v standard"),
    Film("prores-4444.mov", f"{PCM} -c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le"),
    Film("dnxhr.mov", f"{PCM} -c:v dnxhd -profile:v dnxhr_hq -pix_fmt yuv422p", noise=10),
    Film("cineform.mov", f"{PCM} -c:v cfhd -pix_fmt yuv422p10le"),
    Film("jpeg2000.mov", f"{PCM} -c:v jpeg2000 -pix_fmt yuv420p"),
    Film("ffv1.mkv", "-c:a flac -c:v ffv1"),
    Film("ffv1-16bit.mkv", "-c:a flac -c:v ffv1 -pix_fmt yuv420p16le"),
    Film("ffv1-rgb.mkv", "-c:a flac -c:v ffv1 -pix_fmt bgr0"),
    Film("huffyuv.avi", f"{PCM} -c:v huffyuv -pix_fmt yuv422p"),
    Film("utvideo.avi", f"{PCM} -c:v utvideo -pix_fmt yuv420p"),
    Film("magicyuv.avi", f"{PCM} -c:v magicyuv -pix_fmt yuv444p"),
    Film("zmbv.avi", f"{PCM} -c:v zmbv"),
    Film("v210.mov", f"{PCM} -c:v v210"),
    Film("raw-uyvy.mov", f"{PCM} -c:v rawvideo -pix_fmt uyvy422"),
    Film("raw-rgb.avi", f"{PCM} -c:v rawvideo -pix_fmt bgr24"),
    Film("black-and-white.mkv", f"{PCM} -c:v ffv1 -pix_fmt gray10le"),
]
FILMS = [*H264, *MODERN, *OLD, *STUDIO]
