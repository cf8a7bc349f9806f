"""Signed links, tokens and rate limiters; pure."""
