"""The broadcaster: camera and microphone of a single-board computer, live in many browsers."""

__version__ = "0.1.0"
