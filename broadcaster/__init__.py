"""The broadcaster: live video and audio from a single-board computer to many browsers."""

__version__ = "0.1.0"
