"""Power and heat, as the Pi's firmware and the kernel measure them."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.doctor.advice import change
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject

UNDER_VOLTAGE, CAPPED, THROTTLED, SOFT_LIMIT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
SINCE_BOOT = 16
"""`vcgencmd get_throttled`: bits 0 to 3 are now, the same ones from 16 on mean since the Pi was started."""

_WORDS = {
    UNDER_VOLTAGE: "too little voltage",
    CAPPED: "processor held back",
    THROTTLED: "processor slowed down",
    SOFT_LIMIT: "soft temperature limit reached",
}
HOT, WARM = 80.0, 70.0
"""°C: from 80 on every Pi slows its processor down; less than ten below it a warm day is enough."""

_POWER = Subject("power", "With too little of it the camera times out and the picture stalls.")
_HEAT = Subject("heat", "Above 80 °C the processor is slowed down, and pictures are left out.")
_SUPPLY = (
    "Use the board's own power supply (Pi 5: 5.1 V 5 A, Pi 4: 5.1 V 3 A, others 5.1 V 2.5 A) "
    "with its own short cable, take other loads off its USB ports, and look again:\n  vcgencmd get_throttled"
)
_COOLING = change("Give it a heat sink or a fan and free air, or less to do: [video] width = 640, height = 360")


@dataclass(frozen=True, slots=True)
class Firmware:
    """What is measured; None for what this machine does not tell. `refuses`: its command is there, and says nothing."""

    throttled: int | None
    celsius: float | None
    refuses: bool = False


def probe(case: CheckContext) -> list[CheckResult]:
    """Both lines."""
    firmware = read_firmware(case.machine)
    return [
        evaluate_power(firmware, case.account.name, is_pi=case.board.is_raspberry_pi),
        evaluate_temperature(firmware),
    ]


def read_firmware(machine: Machine) -> Firmware:
    """Ask the firmware, and where it does not answer the kernel."""
    throttled = (machine.run("vcgencmd", "get_throttled") or "").removeprefix("throttled=")
    measured = (machine.run("vcgencmd", "measure_temp") or "").removeprefix("temp=").removesuffix("'C")
    bits, celsius = _hexadecimal(throttled), _number(measured) or _kernels_celsius(machine)
    return Firmware(bits, celsius, refuses=bits is None and machine.has("vcgencmd"))


def evaluate_power(firmware: Firmware, user: str, *, is_pi: bool) -> CheckResult:
    """Voltage, and what became of the processor for its lack."""
    bits = firmware.throttled
    if bits is None and not is_pi:
        return _POWER.ok("not measured on this machine")
    if firmware.refuses:
        fix = (
            f"It needs the group video, which opens /dev/vcio; join, and log in again:\n  sudo usermod -aG video {user}"
        )
        return _POWER.warning("vcgencmd does not answer", fix)
    if bits is None:
        return _POWER.warning("there is no vcgencmd to ask", "Install it:\n  sudo apt install raspi-utils")
    if not bits:
        return _POWER.ok("enough, ever since it was started")
    found = "; ".join(filter(None, [in_words(bits, "now"), in_words(bits >> SINCE_BOOT, "since it was started")]))
    if (bits | bits >> SINCE_BOOT) & UNDER_VOLTAGE:
        return _POWER.warning(found, _SUPPLY)
    return _POWER.warning(found, _COOLING)


def evaluate_temperature(firmware: Firmware) -> CheckResult:
    """The temperature now."""
    if firmware.celsius is None:
        return _HEAT.ok("not measured on this machine")
    found = f"{firmware.celsius:.0f} °C"
    if firmware.celsius >= WARM:
        return _HEAT.warning(f"{found}{': too hot' if firmware.celsius >= HOT else ''}", _COOLING)
    return _HEAT.ok(found)


def in_words(bits: int, when: str) -> str:
    """Each of the four lower bits that is set, and when; empty if none is."""
    words = [text for bit, text in _WORDS.items() if bits & bit]
    return f"{', '.join(words)} {when}" if words else ""


def _kernels_celsius(machine: Machine) -> float | None:
    """The hottest thermal zone (sysfs-class-thermal: thousandths of °C)."""
    zones = machine.names("sys/class/thermal", "thermal_zone*")
    measured = [_number(machine.text(f"sys/class/thermal/{zone}/temp")) for zone in zones]
    return max((value / 1000 for value in measured if value is not None), default=None)


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
