"""Power saving of Wi-Fi adapters."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject

_ABOUT = Subject("wifi", "Power saving makes packets wait: 50 to 130 ms instead of 6.")


@dataclass(frozen=True, slots=True)
class Adapter:
    """A Wi-Fi adapter in use; `saving` is None when it does not say."""

    name: str
    saving: bool | None


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    return [evaluate(read_adapters(case.machine), has_iw=case.machine.has("iw"))]


def read_adapters(machine: Machine) -> list[Adapter]:
    """Every Wi-Fi adapter that is up (sysfs-class-net)."""
    names = machine.names("sys/class/net")
    wireless = [name for name in names if {"wireless", "phy80211"} & set(machine.names(f"sys/class/net/{name}"))]
    used = [name for name in wireless if machine.text(f"sys/class/net/{name}/operstate") == "up"]
    return [Adapter(name, understand(machine.run("iw", "dev", name, "get", "power_save"))) for name in used]


def understand(said: str | None) -> bool | None:
    """What `iw dev NAME get power_save` says."""
    return {"Power save: on": True, "Power save: off": False}.get(said or "")


def evaluate(adapters: list[Adapter], *, has_iw: bool) -> CheckResult:
    """Off is right for a station that sends all the time."""
    if not adapters:
        return _ABOUT.ok("no Wi-Fi in use")
    saving = [adapter.name for adapter in adapters if adapter.saving]
    if saving:
        return _ABOUT.warning(f"{', '.join(saving)}: power saving is on", "\n".join(map(_fix, saving)))
    unknown = [adapter.name for adapter in adapters if adapter.saving is None]
    if unknown:
        fix = "See what it says:\n  iw dev" if has_iw else "Install what can tell:\n  sudo apt install iw"
        return _ABOUT.warning(f"{', '.join(unknown)}: does not say whether power saving is on", fix)
    return _ABOUT.ok(f"{', '.join(adapter.name for adapter in adapters)}: power saving is off")


def _fix(name: str) -> str:
    """For now, and by NetworkManager for good (nm-settings(5): 2 is disable)."""
    return (
        f"Off now:\n  sudo iw dev {name} set power_save off\n"
        "Off for good, and connect anew:\n"
        f'  c="$(nmcli -g GENERAL.CONNECTION device show {name})"\n'
        '  sudo nmcli connection modify "$c" 802-11-wireless.powersave 2\n'
        '  sudo nmcli connection up "$c"'
    )
