"""Shared vocabulary: stream state, access units, offers, stats."""
