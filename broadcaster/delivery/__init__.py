"""Delivery to each viewer: fan-out, send queue, pacing, congestion control."""
