"""EDGE: CSI cameras by picamera2, which stands on libcamera. Nothing else names either."""
