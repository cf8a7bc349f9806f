"""All films of the corpus."""

from __future__ import annotations

from tests.films import table_audio, table_broken, table_containers, table_shapes, table_timing, table_video

TABLES = (table_video, table_audio, table_containers, table_timing, table_shapes, table_broken)
FILMS = [film for table in TABLES for film in table.FILMS]
