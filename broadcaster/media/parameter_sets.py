"""H.264 parameter sets: check their profile against what browsers accept, and repeat them before keyframes."""

from __future__ import annotations

from broadcaster.media.h264 import START_CODE, NalType, nal_type, split_nal_units

_BASELINE = 66
_PROFILES = {_BASELINE: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2"}
"""profile_idc (H.264 §A.2)."""
_OBEYS_BASELINE, _OBEYS_MAIN = 0x80, 0x40
"""constraint_set0_flag and constraint_set1_flag (H.264 §7.4.2.1.1)."""
_START = b"\0" + START_CODE
_PICTURES = frozenset({NalType.SLICE, NalType.IDR})


class ParameterSets:
    """Remembers the SPS and PPS of a stream and prepends them to keyframes that lack them."""

    def __init__(self) -> None:
        self._sets: dict[int, list[bytes]] = {NalType.SPS: [], NalType.PPS: []}

    @property
    def obstacle(self) -> str | None:
        """Why a browser that was offered constrained baseline may be unable to decode the stream; None if it can."""
        if not self._sets[NalType.SPS] or not self._sets[NalType.PPS]:
            return "it has no SPS and PPS"
        return obstacle_of(self._sets[NalType.SPS][-1], self._sets[NalType.PPS][-1])

    def complete(self, unit: bytes) -> tuple[bytes, bool]:
        """Return an access unit ready to send, and whether it is a keyframe; empty bytes if it contains no picture."""
        kinds = self._update(unit)
        if _PICTURES.isdisjoint(kinds):
            return b"", False
        if NalType.IDR not in kinds:
            return unit, False
        missing = [kind for kind in (NalType.SPS, NalType.PPS) if kind not in kinds[: kinds.index(NalType.IDR)]]
        if not missing:
            return unit, True
        # All of them: a PPS that precedes its SPS would refer to the previous SPS.
        sets = self._sets[NalType.SPS] + self._sets[NalType.PPS]
        complete = all(self._sets[kind] for kind in missing)
        return b"".join(_START + nal for nal in sets) + unit, complete

    def _update(self, unit: bytes) -> list[int]:
        """Store the parameter sets of an access unit; return the types of its NAL units in order."""
        kinds = []
        fresh: dict[int, list[bytes]] = {}
        for nal in split_nal_units(unit):
            kind = nal_type(nal)
            kinds.append(kind)
            if kind in self._sets:
                fresh.setdefault(kind, []).append(bytes(nal))
        self._sets.update(fresh)
        return kinds


def obstacle_of(sps: bytes, pps: bytes) -> str | None:
    """Return why a stream is not constrained baseline (H.264 §A.2.1.1), as text; None if it is."""
    if len(sps) < 4 or len(pps) < 2:
        return "its parameter sets are invalid"
    profile, constraints = sps[1], sps[2]
    if profile == _BASELINE and (constraints & _OBEYS_MAIN or not _is_more_than_constrained(pps)):
        return None
    if profile != _BASELINE and constraints & _OBEYS_BASELINE and constraints & _OBEYS_MAIN:
        return None
    return f"its profile is {_PROFILES.get(profile, profile)}, and browsers are offered constrained baseline"


def _is_more_than_constrained(pps: bytes) -> bool:
    """Return whether a baseline stream uses slice groups or redundant slices, which constrained baseline forbids.

    Many cameras announce plain baseline and use neither (PPS syntax: §7.3.2.2). The third difference, arbitrary slice
    order, is not signalled; no camera is known to use it.
    """
    bits = _Bits(pps[1:])
    try:
        bits.number()  # pic_parameter_set_id
        bits.number()  # seq_parameter_set_id
        bits.take(2)  # entropy_coding_mode_flag, bottom_field_pic_order_in_frame_present_flag
        if bits.number():  # num_slice_groups_minus1
            return True
        bits.number()  # num_ref_idx_l0_default_active_minus1
        bits.number()  # num_ref_idx_l1_default_active_minus1
        bits.take(3)  # weighted_pred_flag, weighted_bipred_idc
        for _ in range(3):
            bits.number()  # pic_init_qp_minus26, pic_init_qs_minus26, chroma_qp_index_offset: se(v) is as long as ue(v)
        bits.take(2)  # deblocking_filter_control_present_flag, constrained_intra_pred_flag
        return bits.take(1) == 1  # redundant_pic_cnt_present_flag
    except EOFError:
        return True


class _Bits:
    """Reads the bits of a raw byte sequence payload (H.264 §7.2, §9.1)."""

    def __init__(self, payload: bytes) -> None:
        data = payload.replace(b"\0\0\3", b"\0\0")  # emulation prevention (§7.4.1.1)
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def take(self, count: int) -> int:
        """Return the next `count` bits as a number. Raises EOFError."""
        part = self._bits[self._at : self._at + count]
        if len(part) < count:
            raise EOFError
        self._at += count
        return int(part, 2) if part else 0

    def number(self) -> int:
        """Return the next Exp-Golomb number, ue(v). Raises EOFError."""
        zeros = self._bits[self._at :].find("1")
        if zeros < 0:
            raise EOFError
        self._at += zeros
        return self.take(zeros + 1) - 1
