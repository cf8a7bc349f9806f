"""H.264 parameter sets: check their profile against what browsers accept, and repeat them before keyframes."""

from __future__ import annotations

from broadcaster.media.bits import BitReader
from broadcaster.media.h264 import START_CODE, NalType, nal_type, split_nal_units

_BASELINE = 66
_PROFILES = {_BASELINE: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2"}
"""profile_idc (H.264 §A.2)."""
_CONSTRAINT_SET0, _CONSTRAINT_SET1 = 0x80, 0x40
"""The stream conforms to the Baseline, or Main, profile, whatever its profile_idc is (H.264 §7.4.2.1.1)."""
_LONG_START_CODE = b"\0" + START_CODE
_SLICE_TYPES = frozenset({NalType.SLICE, NalType.IDR})


class ParameterSets:
    """Remembers the SPS and PPS of a stream and prepends them to keyframes that lack them."""

    def __init__(self) -> None:
        self._sets: dict[int, list[bytes]] = {NalType.SPS: [], NalType.PPS: []}

    @property
    def obstacle(self) -> str | None:
        """Why browsers that were offered constrained baseline may be unable to decode the stream; None if they can."""
        if not self._sets[NalType.SPS] or not self._sets[NalType.PPS]:
            return "it has no SPS and PPS"
        return profile_obstacle(self._sets[NalType.SPS][-1], self._sets[NalType.PPS][-1])

    def complete(self, unit: bytes) -> tuple[bytes, bool]:
        """Return an access unit ready to send, and whether it is a keyframe; empty bytes if it contains no picture."""
        kinds = self._update(unit)
        if _SLICE_TYPES.isdisjoint(kinds):
            return b"", False
        if NalType.IDR not in kinds:
            return unit, False
        missing = [kind for kind in (NalType.SPS, NalType.PPS) if kind not in kinds[: kinds.index(NalType.IDR)]]
        if not missing:
            return unit, True
        # Prepend all of them: a PPS that precedes its SPS would refer to the previous SPS.
        sets = self._sets[NalType.SPS] + self._sets[NalType.PPS]
        complete = all(self._sets[kind] for kind in missing)
        return b"".join(_LONG_START_CODE + nal for nal in sets) + unit, complete

    def _update(self, unit: bytes) -> list[int]:
        """Store the parameter sets of an access unit; return the types of its NAL units in order."""
        kinds = []
        received: dict[int, list[bytes]] = {}
        for nal in split_nal_units(unit):
            kind = nal_type(nal)
            kinds.append(kind)
            if kind in self._sets:
                received.setdefault(kind, []).append(bytes(nal))
        self._sets.update(received)
        return kinds


def profile_obstacle(sps: bytes, pps: bytes) -> str | None:
    """Return why a stream is not constrained baseline (H.264 §A.2.1.1), as text; None if it is."""
    if len(sps) < 4 or len(pps) < 2:
        return "its parameter sets are invalid"
    profile, constraints = sps[1], sps[2]
    if profile == _BASELINE and (constraints & _CONSTRAINT_SET1 or not _exceeds_constrained_baseline(pps)):
        return None
    if profile != _BASELINE and constraints & _CONSTRAINT_SET0 and constraints & _CONSTRAINT_SET1:
        return None
    return f"its profile is {_PROFILES.get(profile, profile)}, and browsers are offered constrained baseline"


def _exceeds_constrained_baseline(pps: bytes) -> bool:
    """Return whether a baseline stream uses slice groups or redundant slices, which constrained baseline forbids.

    Many cameras announce plain baseline and use neither (PPS syntax: §7.3.2.2). The third difference, arbitrary slice
    order, is not signalled; no camera is known to use it.
    """
    bits = BitReader(pps[1:])
    try:
        bits.read_ue()  # pic_parameter_set_id
        bits.read_ue()  # seq_parameter_set_id
        bits.read(2)  # entropy_coding_mode_flag, bottom_field_pic_order_in_frame_present_flag
        if bits.read_ue():  # num_slice_groups_minus1
            return True
        bits.read_ue()  # num_ref_idx_l0_default_active_minus1
        bits.read_ue()  # num_ref_idx_l1_default_active_minus1
        bits.read(3)  # weighted_pred_flag, weighted_bipred_idc
        for _ in range(3):
            bits.read_ue()  # pic_init_qp_minus26, pic_init_qs_minus26, chroma_qp_index_offset: se(v), as long as ue(v)
        bits.read(2)  # deblocking_filter_control_present_flag, constrained_intra_pred_flag
        return bits.read(1) == 1  # redundant_pic_cnt_present_flag
    except EOFError:
        return True
