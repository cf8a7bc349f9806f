"""The audio source `alsa`: samples of arecord, a child process, on the monotonic clock, encoded as Opus."""
