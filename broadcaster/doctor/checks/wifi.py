"""Power saving of Wi-Fi adapters."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject

_ABOUT = Subject("wifi", "Wi-Fi power saving delays packets by 50 to 130 ms instead of 6 ms.")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A Wi-Fi adapter in use; `power_saving` is None if it is unknown."""

    name: str
    power_saving: bool | None


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    return [evaluate(read_adapters(context.machine), has_iw=context.machine.has_command("iw"))]


def read_adapters(machine: Machine) -> list[Adapter]:
    """Return the Wi-Fi adapters that are up (sysfs-class-net)."""
    names = machine.list_names("sys/class/net")
    wireless = [name for name in names if {"wireless", "phy80211"} & set(machine.list_names(f"sys/class/net/{name}"))]
    up = [name for name in wireless if machine.read_text(f"sys/class/net/{name}/operstate") == "up"]
    return [Adapter(name, parse_power_save(machine.run("iw", "dev", name, "get", "power_save"))) for name in up]


def parse_power_save(output: str | None) -> bool | None:
    """Parse the output of `iw dev NAME get power_save`; None if it is missing or an error."""
    return {"Power save: on": True, "Power save: off": False}.get(output or "")


def evaluate(adapters: list[Adapter], *, has_iw: bool) -> CheckResult:
    """Require power saving to be off, because the stream sends all the time."""
    if not adapters:
        return _ABOUT.ok("no Wi-Fi in use")
    saving = [adapter.name for adapter in adapters if adapter.power_saving]
    if saving:
        return _ABOUT.warning(f"{', '.join(saving)}: power saving is on", "\n".join(map(_fix, saving)))
    unknown = [adapter.name for adapter in adapters if adapter.power_saving is None]
    if unknown:
        fix = "Look at the adapter:\n  iw dev" if has_iw else "Install the tool that shows it:\n  sudo apt install iw"
        return _ABOUT.warning(f"{', '.join(unknown)}: it is unknown whether power saving is on", fix)
    return _ABOUT.ok(f"{', '.join(adapter.name for adapter in adapters)}: power saving is off")


def _fix(name: str) -> str:
    """Return the commands for now, and for NetworkManager to keep it so (nm-settings(5): 2 is disable)."""
    return (
        f"Turn it off now:\n  sudo iw dev {name} set power_save off\n"
        "Turn it off permanently, and reconnect:\n"
        f'  c="$(nmcli -g GENERAL.CONNECTION device show {name})"\n'
        '  sudo nmcli connection modify "$c" 802-11-wireless.powersave 2\n'
        '  sudo nmcli connection up "$c"'
    )
