"""Which SRTP profile costs this processor least; as DTLS server our order decides."""

from __future__ import annotations

from pathlib import Path

GCM = b"SRTP_AEAD_AES_128_GCM"
COUNTER_MODE = b"SRTP_AES128_CM_SHA1_80"

_GCM_INSTRUCTIONS = ({"aes", "pmull"}, {"aes", "pclmulqdq"})
"""AES and carry-less multiplication, as Linux names them on Arm (from Pi 5) and on x86."""


def profile_order(processor_features: set[str]) -> tuple[bytes, bytes]:
    """The order to offer: GCM first only where its two halves are instructions, else it is the dearer one."""
    if any(needed <= processor_features for needed in _GCM_INSTRUCTIONS):
        return (GCM, COUNTER_MODE)
    return (COUNTER_MODE, GCM)


def processor_features(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """The features that the kernel lists for the first processor; none when it does not say."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return set()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()
