"""The wiring diagram and the hardware page match the default settings."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from broadcaster.settings.model import every_setting
from tests.house.project import read

SVG = "{http://www.w3.org/2000/svg}"
DRAWING = ET.fromstring(read("hardware/wiring.svg"))
PAGE = read("hardware/README.md")
# BCM numbers of the first 20 pins of the 40-pin header, where a pin has one.
HEADER = {3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10}
GROUND = {6, 9, 14, 20}
POSITIONS = {pin.get("id"): (pin.get("cx"), pin.get("cy")) for pin in DRAWING.iter(f"{SVG}circle") if pin.get("id")}
WIRES = [wire for wire in DRAWING.iter(f"{SVG}path") if wire.get("data-pin")]
DEFAULTS = {setting.path: setting.default for setting in every_setting() if setting.table == "panel"}
DRAWN_SETTINGS = {"panel.button", "panel.lamp"}


def test_diagram_shows_the_pins_used_by_default():
    pins = ["button", "start", "stop", "lamp", "watch_lamp"]
    assert {f"panel.{name}" for name in pins if DEFAULTS[f"panel.{name}"] is not None} == DRAWN_SETTINGS
    assert {wire.get("data-setting") for wire in WIRES if wire.get("data-setting")} == DRAWN_SETTINGS
    assert (DEFAULTS["panel.pull"], DEFAULTS["panel.button_active"], DEFAULTS["panel.lamp_active"]) == (
        "up", "low", "high")  # fmt: skip


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: f"pin {wire.get('data-pin')}")
def test_wire_starts_at_the_pin_of_its_setting(wire):
    number, setting = int(wire.get("data-pin")), wire.get("data-setting")
    start = re.match(r"M(\d+) (\d+) ", wire.get("d"))
    assert start is not None
    assert start.groups() == POSITIONS[f"pin-{number}"]
    if setting:
        assert HEADER[number] == DEFAULTS[setting]
    else:
        assert number in GROUND


def test_button_and_led_have_a_ground_wire_each():
    assert sorted(int(wire.get("data-pin")) for wire in WIRES) == [9, 11, 13, 14]


def test_diagram_has_a_text_description():
    description = " ".join(" ".join(text.itertext()) for text in DRAWING.iter(f"{SVG}text"))
    for wire in WIRES:
        setting = wire.get("data-setting")
        assert f"pin {wire.get('data-pin')}, " + (f"GPIO {DEFAULTS[setting]}" if setting else "ground") in description
        assert not setting or f"{setting} = {DEFAULTS[setting]}" in description


def test_page_table_lists_the_same_wires():
    rows = re.findall(r"^\| (\d+) \| (?:GPIO )?(\w+) \| [^|]+ \| (?:`([\w.]+)`)? ?\|$", PAGE, re.MULTILINE)
    assert {(int(pin), bcm, setting) for pin, bcm, setting in rows} == {
        (int(wire.get("data-pin")), str(DEFAULTS[setting]) if setting else "ground", setting)
        for wire in WIRES
        for setting in [wire.get("data-setting") or ""]
    }


def test_page_examples_use_existing_settings():
    known = {path.removeprefix("panel.") for path in DEFAULTS}
    used = set(re.findall(r"`(\w+) = [^`]+`", PAGE)) | set(re.findall(r"`panel\.(\w+)`", PAGE))
    assert used - {"dtparam"} <= known
    assert {"hold_action", "start", "stop", "watch_lamp", "pull", "button_active", "lamp_active"} <= used


def test_diagram_is_readable_on_a_phone():
    assert DRAWING.get("viewBox") == "0 0 400 640"
    style = DRAWING.find(f"{SVG}style").text
    assert min(map(int, re.findall(r"(\d+)px", style))) >= 12
    assert "prefers-color-scheme: dark" in style
