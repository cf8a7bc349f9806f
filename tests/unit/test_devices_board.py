"""Identification of the machine from /proc and /sys trees of different boards."""

import struct
from pathlib import Path

import pytest

from broadcaster.devices.board import Board, read_board
from tests.rigs import boards


@pytest.mark.parametrize(
    ("machine", "encoder", "is_64_bit"),
    [
        (boards.ZERO_2_W, "/dev/video11", True),
        (boards.PI_3, "/dev/video11", True),
        (boards.PI_4, "/dev/video11", True),
        (boards.PI_4_32_BIT, "/dev/video11", False),
        (boards.PI_5, "", True),
        (boards.PC, "", True),
    ],
    ids=lambda value: getattr(value, "model", None),
)
def test_read_board(tmp_path, machine, encoder, is_64_bit):
    board = read_board(boards.build(tmp_path, machine))
    assert board == Board(machine.model, machine.memory * 1024, encoder, is_64_bit)
    assert board.is_raspberry_pi == (machine is not boards.PC)
    assert board.name == (machine.model or "no Raspberry Pi")


def test_the_encoder_is_identified_by_name_not_by_number(tmp_path):
    moved = boards.FakeBoard(boards.PI_4.model, 1, {11: "UVC Camera", 12: "bcm2835-codec-encode"})
    assert read_board(boards.build(tmp_path, moved)).h264_encoder == "/dev/video12"


def test_an_empty_tree_gives_an_unknown_board(tmp_path):
    assert read_board(tmp_path) == Board("", 0, "", False)


def test_read_board_on_this_machine():
    board = read_board()
    assert board.memory == pytest.approx(_total_memory(), rel=0.01)
    assert board.is_64_bit == (struct.calcsize("P") == 8)


def _total_memory() -> int:
    return int(Path("/proc/meminfo").read_text().split()[1]) * 1024
