"""Reads the bits of H.264 parameter sets, and the properties of a picture from its SPS."""

from __future__ import annotations

from dataclasses import dataclass

_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""Values of profile_idc whose SPS describes the chroma format (H.264 §7.3.2.1.1)."""
_MACROBLOCK = 16
_MAX_SIZE = 16384
"""Pixels; no level allows more in one direction (H.264 table A-1)."""


class BitReader:
    """Reads the bits of a raw byte sequence payload (H.264 §7.2, §9.1)."""

    def __init__(self, payload: bytes) -> None:
        data = payload.replace(b"\0\0\3", b"\0\0")  # emulation prevention (§7.4.1.1)
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._position = 0

    def read(self, count: int) -> int:
        """Return the next `count` bits as a number. Raises EOFError."""
        digits = self._bits[self._position : self._position + count]
        if len(digits) < count:
            raise EOFError
        self._position += count
        return int(digits, 2) if digits else 0

    def read_ue(self) -> int:
        """Return the next Exp-Golomb number, ue(v). Raises EOFError."""
        zeros = self._bits[self._position :].find("1")
        if zeros < 0:
            raise EOFError
        self._position += zeros
        return self.read(zeros + 1) - 1

    def read_se(self) -> int:
        """Return the next signed Exp-Golomb number, se(v) (§9.1.1). Raises EOFError."""
        code = self.read_ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """What an SPS says about the pictures: their size in pixels, chroma_format_idc, and bits per sample."""

    width: int
    height: int
    chroma_format: int = 1
    luma_bits: int = 8
    chroma_bits: int = 8


def picture_format(sps: bytes) -> PictureFormat:
    """Return the picture format of an SPS (H.264 §7.3.2.1.1). Raises ValueError if it is invalid."""
    if len(sps) < 4:
        raise ValueError("the SPS is too short")
    try:
        return _read_format(BitReader(sps[4:]), sps[1])
    except EOFError:
        raise ValueError("the SPS is truncated") from None


def _read_format(bits: BitReader, profile: int) -> PictureFormat:
    bits.read_ue()  # seq_parameter_set_id
    chroma, luma_bits, chroma_bits = _read_chroma(bits) if profile in _HIGH_PROFILES else (1, 8, 8)
    bits.read_ue()  # log2_max_frame_num_minus4
    _skip_picture_order(bits)
    bits.read_ue()  # max_num_ref_frames
    bits.read(1)  # gaps_in_frame_num_value_allowed_flag
    width, height = _MACROBLOCK * (bits.read_ue() + 1), _MACROBLOCK * (bits.read_ue() + 1)
    frames_only = bits.read(1)
    if not frames_only:
        height *= 2
        bits.read(1)  # mb_adaptive_frame_field_flag
    bits.read(1)  # direct_8x8_inference_flag
    if bits.read(1):
        left, right, top, bottom = (bits.read_ue() for _ in range(4))
        unit_x, unit_y = 2 if chroma in (1, 2) else 1, (2 if chroma == 1 else 1) * (2 - frames_only)
        width -= (left + right) * unit_x
        height -= (top + bottom) * unit_y
    if not (0 < width <= _MAX_SIZE and 0 < height <= _MAX_SIZE):
        raise ValueError(f"the SPS has the impossible size {width}x{height}")
    return PictureFormat(width, height, chroma, luma_bits, chroma_bits)


def _read_chroma(bits: BitReader) -> tuple[int, int, int]:
    """Return chroma_format_idc and the bits of a luma and a chroma sample, and skip the scaling lists. May raise."""
    chroma = bits.read_ue()
    if chroma > 3:
        raise ValueError("the SPS has an invalid chroma format")
    if chroma == 3:
        bits.read(1)  # separate_colour_plane_flag
    luma_bits, chroma_bits = 8 + bits.read_ue(), 8 + bits.read_ue()
    if max(luma_bits, chroma_bits) > 14:
        raise ValueError("the SPS has an invalid bit depth")
    bits.read(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.read(1):
        for index in range(12 if chroma == 3 else 8):
            if bits.read(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, luma_bits, chroma_bits


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    """Skip a scaling list (H.264 §7.3.2.1.1.1)."""
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.read_se()) % 256
        last = following or last


def _skip_picture_order(bits: BitReader) -> None:
    kind = bits.read_ue()  # pic_order_cnt_type
    if kind == 0:
        bits.read_ue()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        bits.read(1)  # delta_pic_order_always_zero_flag
        bits.read_ue()  # offset_for_non_ref_pic: se(v), as long as ue(v)
        bits.read_ue()  # offset_for_top_to_bottom_field
        for _ in range(bits.read_ue()):
            bits.read_ue()  # offset_for_ref_frame
