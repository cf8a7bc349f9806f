"""EDGE: CSI cameras through picamera2 and libcamera; no other package imports either."""
