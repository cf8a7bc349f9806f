from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.testcard import strip

NUMBERS = st.integers(0, 2**40)
WIDTHS = st.integers(160, 3840).map(lambda width: width // 2 * 2)


def test_cells_match_the_table():
    cells = strip.cells(0b1000_0000_0000_0001, 0b1100_0000_0000_0000_0001)
    assert len(cells) == strip.CELLS
    assert "".join("01"[cell] for cell in cells) == "10" + "1000000000000001" + "11000000000000000001" + "1" + "0"


def test_luma_is_white_235_and_black_16_in_equal_cells():
    row = strip.luma_row(0, 0, 400)
    assert row == (b"\xeb" * 10) + (b"\x10" * 380) + (b"\xeb" * 10)


@given(NUMBERS, NUMBERS, WIDTHS)
def test_strip_round_trip(number, unix_ms, width):
    row = strip.luma_row(number, unix_ms, width)
    assert len(row) == width
    assert strip.read(row) == strip.Reading(number % 2**16, unix_ms % 2**20)


@given(NUMBERS, NUMBERS, st.integers(0, strip.CELLS - 1))
def test_any_wrong_cell_is_detected(number, unix_ms, wrong):
    row = bytearray(strip.luma_row(number, unix_ms, 640))
    cell = slice(wrong * 16, wrong * 16 + 16)
    row[cell] = bytes(251 - luma for luma in row[cell])
    assert strip.read(row) is None


def test_uniform_row_is_not_a_strip():
    assert strip.read(bytes(640)) is None
    assert strip.read(b"\xff" * 640) is None


def test_strip_height_is_one_eighteenth():
    assert [strip.height(height) for height in (360, 720, 1080)] == [20, 40, 60]
