from broadcaster.devices.testcard.font import ADVANCE, GLYPH_HEIGHT, Font


def test_rows_of_a_line_have_equal_length():
    rows = [*Font(3, ink=235, paper=16).rows("0123456789:. TEST")]
    assert len(rows) == GLYPH_HEIGHT
    assert {len(row) for row in rows} == {17 * ADVANCE * 3}


def test_glyphs_are_drawn_with_ink_on_paper():
    rows = [*Font(1, ink=2, paper=1).rows("T")]
    assert rows[0] == bytes([2, 2, 2, 2, 2, 1])
    assert rows[1:] == [bytes([1, 1, 2, 1, 1, 1])] * 6


def test_glyphs_are_distinct():
    font = Font(1, ink=1, paper=0)
    glyphs = {tuple(font.rows(character)) for character in "0123456789:. TES"}
    assert len(glyphs) == 16
