"""Measurements: `make bench` prints results beside their targets."""
