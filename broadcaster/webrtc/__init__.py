"""EDGE: the only place for aiortc; its private names stand in one file, `internals.py`."""
