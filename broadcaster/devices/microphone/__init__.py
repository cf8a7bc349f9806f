"""The audio source `alsa`: arecord as a child process, its sound on the monotonic clock, Opus."""
