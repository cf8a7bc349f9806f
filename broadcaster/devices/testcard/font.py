"""A bitmap font with the characters of the test picture, which makes it independent of system fonts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

GLYPH_WIDTH = 5
GLYPH_HEIGHT = 7
ADVANCE = 6
"""Columns from one glyph to the next."""

_GLYPHS = {
    " ": ("     ", "     ", "     ", "     ", "     ", "     ", "     "),
    "0": (" ### ", "#   #", "#  ##", "# # #", "##  #", "#   #", " ### "),
    "1": ("  #  ", " ##  ", "  #  ", "  #  ", "  #  ", "  #  ", " ### "),
    "2": (" ### ", "#   #", "    #", "   # ", "  #  ", " #   ", "#####"),
    "3": (" ### ", "#   #", "    #", "  ## ", "    #", "#   #", " ### "),
    "4": ("   # ", "  ## ", " # # ", "#  # ", "#####", "   # ", "   # "),
    "5": ("#####", "#    ", "#### ", "    #", "    #", "#   #", " ### "),
    "6": (" ### ", "#    ", "#    ", "#### ", "#   #", "#   #", " ### "),
    "7": ("#####", "    #", "   # ", "  #  ", "  #  ", "  #  ", "  #  "),
    "8": (" ### ", "#   #", "#   #", " ### ", "#   #", "#   #", " ### "),
    "9": (" ### ", "#   #", "#   #", " ####", "    #", "    #", " ### "),
    ":": ("     ", "  #  ", "  #  ", "     ", "  #  ", "  #  ", "     "),
    ".": ("     ", "     ", "     ", "     ", "     ", " ##  ", " ##  "),
    "E": ("#####", "#    ", "#    ", "#### ", "#    ", "#    ", "#####"),
    "S": (" ####", "#    ", "#    ", " ### ", "    #", "    #", "#### "),
    "T": ("#####", "  #  ", "  #  ", "  #  ", "  #  ", "  #  ", "  #  "),
}


class Font:
    """Pre-rendered glyphs, `scale` pixels per dot, as rows of luma bytes that only need joining."""

    def __init__(self, scale: int, ink: int, paper: int) -> None:
        dots = {"#": bytes([ink]) * scale, " ": bytes([paper]) * scale}
        gap = dots[" "] * (ADVANCE - GLYPH_WIDTH)
        self._rows = {
            character: [b"".join(dots[dot] for dot in row) + gap for row in glyph]
            for character, glyph in _GLYPHS.items()
        }

    def rows(self, text: str) -> Iterator[bytes]:
        """Return the luma of one line of `text`: one row of pixels for each of its `GLYPH_HEIGHT` rows of dots."""
        return (b"".join(self._rows[character][line] for character in text) for line in range(GLYPH_HEIGHT))
