"""EDGE: who may say go. Signals and buttons."""
