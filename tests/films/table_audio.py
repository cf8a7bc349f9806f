"""Films by audio codec, number of channels and sample rate; audio files have no video to play."""

from __future__ import annotations

from tests.films.film import Film, made_from, silent, sweep

V = "-c:v libx264 -preset ultrafast -profile:v baseline -g 25"
NO_PICTURE = "has no video"


def tone(name: str, output: str, audio: str | None = None) -> Film:
    """Return an audio file."""
    return Film(name, output, None, audio or sweep(), refused=NO_PICTURE)


LOSSY = [
    Film("aac-mono-8k.mp4", f"{V} -c:a aac", audio=sweep("mono", 8000)),
    Film("aac-mono-22k.mov", f"{V} -c:a aac", audio=sweep("mono", 22050)),
    Film("aac-44k.flv", f"{V} -c:a aac", audio=sweep("stereo", 44100)),
    Film("aac-96k.mp4", f"{V} -c:a aac -b:a 192k", audio=sweep("stereo", 96000)),
    Film("aac-5.1.mp4", f"{V} -c:a aac -b:a 384k", audio=sweep("5.1")),
    Film("aac-7.1.mkv", f"{V} -c:a aac -b:a 512k", audio=sweep("7.1")),
    Film("mp3.mkv", f"{V} -c:a libmp3lame -b:a 192k", audio=sweep("stereo", 44100)),
    Film("mp3-mono-16k.avi", f"{V} -c:a libmp3lame", audio=sweep("mono", 16000)),
    Film("mp3.mp4", f"{V} -c:a libmp3lame"),
    Film("mp2.ts", f"{V} -c:a mp2 -b:a 256k"),
    Film("opus.mp4", f"{V} -c:a libopus"),
    Film("opus-mono.mkv", f"{V} -c:a libopus", audio=sweep("mono")),
    Film("opus-5.1.mkv", f"{V} -c:a libopus -b:a 384k", audio=sweep("5.1")),
    Film("opus-60ms.mkv", f"{V} -c:a libopus -frame_duration 60"),
    Film("opus-10ms.mkv", f"{V} -c:a libopus -frame_duration 10"),
    Film("opus.ts", f"{V} -c:a libopus"),
    Film("vorbis.mkv", f"{V} -c:a libvorbis -q:a 6"),
    Film("vorbis-5.1.mkv", f"{V} -c:a libvorbis -q:a 6", audio=sweep("5.1")),
    Film("ac3-5.1.mkv", f"{V} -c:a ac3 -b:a 448k", audio=sweep("5.1")),
    Film("ac3-32k.mp4", f"{V} -c:a ac3", audio=sweep("stereo", 32000)),
    Film("eac3.mp4", f"{V} -c:a eac3 -b:a 256k"),
    Film("dts.mkv", f"{V} -c:a dca -strict -2 -b:a 768k"),
    Film("wma1.asf", f"{V} -c:a wmav1 -b:a 160k"),
    Film("nellymoser.flv", f"{V} -c:a nellymoser", audio=sweep("mono", 44100)),
    Film("speex.mkv", f"{V} -c:a libspeex -cbr_quality 10", audio=sweep("mono", 32000)),
    Film("adpcm-ima.avi", f"{V} -c:a adpcm_ima_wav", audio=sweep("stereo", 44100)),
    Film("adpcm-ms.avi", f"{V} -c:a adpcm_ms", audio=sweep("mono", 11025)),
    Film("alaw.mov", f"{V} -c:a pcm_alaw", audio=sweep("mono", 8000)),
    Film("mulaw.avi", f"{V} -c:a pcm_mulaw", audio=sweep("mono", 8000)),
]
LOSSLESS = [
    Film("alac.mov", f"{V} -c:a alac"),
    Film("flac.mp4", f"{V} -c:a flac -strict -2"),
    Film("flac-24bit-96k.mkv", f"{V} -c:a flac -sample_fmt s32", audio=sweep("stereo", 96000)),
    Film("flac-7.1.mkv", f"{V} -c:a flac", audio=sweep("7.1")),
    Film("truehd.mkv", f"{V} -c:a truehd -strict -2"),
    Film("wavpack.mkv", f"{V} -c:a wavpack"),
    Film("tta.mkv", f"{V} -c:a tta"),
    Film("pcm-u8-11k.avi", f"{V} -c:a pcm_u8", audio=sweep("mono", 11025)),
    Film("pcm-big-endian.mov", f"{V} -c:a pcm_s16be"),
    Film("pcm-24bit.mov", f"{V} -c:a pcm_s24le"),
    Film("pcm-32bit-192k.mkv", f"{V} -c:a pcm_s32le", audio=sweep("stereo", 192000)),
    Film("pcm-float.mkv", f"{V} -c:a pcm_f32le"),
    Film("pcm-7.1.mov", f"{V} -c:a pcm_s16le", audio=sweep("7.1")),
]
COVER = silent("cover.png", "-frames:v 1")
AUDIO_FILES = [
    tone("tone.wav", "-c:a pcm_s16le"),
    tone("tone-mono-8k.wav", "-c:a pcm_u8", sweep("mono", 8000)),
    tone("tone-5.1.wav", "-c:a pcm_s24le", sweep("5.1")),
    tone("tone.mp3", "-c:a libmp3lame"),
    tone("tone.m4a", "-c:a aac"),
    tone("tone.aac", "-c:a aac"),
    tone("tone.flac", "-c:a flac"),
    tone("tone.ogg", "-c:a libvorbis"),
    tone("tone.opus", "-c:a libopus"),
    tone("tone.ac3", "-c:a ac3"),
    tone("tone.aiff", "-c:a pcm_s16be"),
    tone("tone.mka", "-c:a pcm_f32le"),
    tone("tone.webm", "-c:a libopus"),
    made_from(
        "album.mp3",
        "-i tone.mp3 -i cover.png -map 0 -map 1 -c copy -disposition:v attached_pic",
        tone("tone.mp3", "-c:a libmp3lame"),
        COVER,
        refused=NO_PICTURE,
    ),
    made_from(
        "album.m4a",
        "-i tone.m4a -i cover.png -map 0 -map 1 -c copy -disposition:v attached_pic",
        tone("tone.m4a", "-c:a aac"),
        COVER,
        refused=NO_PICTURE,
    ),
]
FILMS = [*LOSSY, *LOSSLESS, *AUDIO_FILES]
