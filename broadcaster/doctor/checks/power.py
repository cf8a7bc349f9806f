"""Power supply and temperature, from the Pi's firmware and the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.doctor.advice import change_settings
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject

UNDER_VOLTAGE, CAPPED, THROTTLED, SOFT_LIMIT = 1 << 0, 1 << 1, 1 << 2, 1 << 3
SINCE_BOOT = 16
"""`vcgencmd get_throttled`: bits 0 to 3 are the present state, bits 16 to 19 the same since boot."""

_DESCRIPTIONS = {
    UNDER_VOLTAGE: "supply voltage too low",
    CAPPED: "processor frequency capped",
    THROTTLED: "processor throttled",
    SOFT_LIMIT: "soft temperature limit reached",
}
HOT, WARM = 80.0, 70.0
"""°C: at 80 every Pi throttles its processor; at 70 a warm day is enough to get there."""

_POWER = Subject("power", "With too little power the camera times out and the picture stalls.")
_HEAT = Subject("heat", "Above 80 °C the processor is throttled and frames are dropped.")
_BETTER_SUPPLY = (
    "Use the board's own power supply (Pi 5: 5.1 V 5 A, Pi 4: 5.1 V 3 A, others 5.1 V 2.5 A) "
    "with its own short cable, unplug other loads from its USB ports, and check again:\n  vcgencmd get_throttled"
)
_COOLING = change_settings(
    "Add a heat sink or a fan and let air flow freely, or lower the load: [video] width = 640, height = 360"
)


@dataclass(frozen=True, slots=True)
class Firmware:
    """Measurements; None if this machine does not provide one.

    `throttled` are the bits of `vcgencmd get_throttled`. `refuses`: the command is installed, but gives no answer.
    """

    throttled: int | None
    celsius: float | None
    refuses: bool = False


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the results for power and heat."""
    firmware = read_firmware(context.machine)
    return [
        evaluate_power(firmware, context.account.name, is_pi=context.board.is_raspberry_pi),
        evaluate_temperature(firmware),
    ]


def read_firmware(machine: Machine) -> Firmware:
    """Query the firmware, and the kernel if the firmware gives no temperature."""
    throttled = (machine.run("vcgencmd", "get_throttled") or "").removeprefix("throttled=")
    temperature = (machine.run("vcgencmd", "measure_temp") or "").removeprefix("temp=").removesuffix("'C")
    bits, celsius = _parse_hexadecimal(throttled), _parse_number(temperature) or _kernel_temperature(machine)
    return Firmware(bits, celsius, refuses=bits is None and machine.has_command("vcgencmd"))


def evaluate_power(firmware: Firmware, user: str, *, is_pi: bool) -> CheckResult:
    """Require that the firmware reports neither under-voltage nor throttling."""
    bits = firmware.throttled
    if bits is None and not is_pi:
        return _POWER.ok("not measured on this machine")
    if firmware.refuses:
        fix = (
            "Add the user to the group video, which may open /dev/vcio, then log in again:\n"
            f"  sudo usermod -aG video {user}"
        )
        return _POWER.warning("the supply voltage is unknown: vcgencmd gives no answer", fix)
    if bits is None:
        fix = "Install vcgencmd:\n  sudo apt install raspi-utils"
        return _POWER.warning("the supply voltage is unknown: vcgencmd is not installed", fix)
    if not bits:
        return _POWER.ok("no under-voltage and no throttling since boot")
    found = "; ".join(filter(None, [describe(bits, "now"), describe(bits >> SINCE_BOOT, "since boot")]))
    if (bits | bits >> SINCE_BOOT) & UNDER_VOLTAGE:
        return _POWER.warning(found, _BETTER_SUPPLY)
    return _POWER.warning(found, _COOLING)


def evaluate_temperature(firmware: Firmware) -> CheckResult:
    """Require a temperature that is not close to the throttling limit."""
    if firmware.celsius is None:
        return _HEAT.ok("not measured on this machine")
    found = f"{firmware.celsius:.0f} °C"
    if firmware.celsius >= HOT:
        return _HEAT.warning(f"{found}: too hot", _COOLING)
    if firmware.celsius >= WARM:
        return _HEAT.warning(f"{found}: close to the limit of {HOT:.0f} °C", _COOLING)
    return _HEAT.ok(found)


def describe(bits: int, when: str) -> str:
    """Describe those of the lower four bits that are set; empty if none is."""
    states = [text for bit, text in _DESCRIPTIONS.items() if bits & bit]
    return f"{when}: {', '.join(states)}" if states else ""


def _kernel_temperature(machine: Machine) -> float | None:
    """Return the temperature of the hottest thermal zone in °C (sysfs-class-thermal: thousandths of °C)."""
    zones = machine.list_names("sys/class/thermal", "thermal_zone*")
    temperatures = [_parse_number(machine.read_text(f"sys/class/thermal/{zone}/temp")) for zone in zones]
    return max((value / 1000 for value in temperatures if value is not None), default=None)


def _parse_hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _parse_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
