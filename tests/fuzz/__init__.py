"""Fuzzing of all external input: `make fuzz SECONDS=60`."""
