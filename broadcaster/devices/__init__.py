"""Devices: the only package with cameras, microphones, files, encoders and threads; and the fakes, which ship."""
