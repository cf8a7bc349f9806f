"""Faults in a real daemon process: what must hold, and what was measured."""
