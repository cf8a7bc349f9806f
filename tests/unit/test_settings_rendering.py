"""Rendering settings as commented TOML that can be read back."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from broadcaster.settings import (
    IceServer,
    IceSettings,
    PanelSettings,
    PushTarget,
    Settings,
    VideoSettings,
    WebSettings,
    read,
    render,
    template,
)
from broadcaster.settings.kinds import Bool, Enum, Float, Int, IntEnum
from broadcaster.settings.model import every_setting
from broadcaster.settings.toml import to_toml

_PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


def _values(kind):
    """Return a strategy for valid values of a setting of `kind`, or None."""
    if isinstance(kind, Enum | IntEnum):
        return st.sampled_from(kind.choices)
    if isinstance(kind, Int):
        return st.integers(kind.low // kind.step, kind.high // kind.step).map(lambda number: number * kind.step)
    if isinstance(kind, Bool):
        return st.sampled_from(["true", "false"])
    if isinstance(kind, Float):
        return st.floats(kind.low, kind.high)
    return None


_ASSIGNMENTS = st.fixed_dictionaries(
    {},
    optional={item.path: values for item in every_setting() if (values := _values(item.about.kind)) is not None}
    | {"video.file": _PRINTABLE.filter(bool), "stream.state_dir": _PRINTABLE}
    | {"panel.pull": st.sampled_from(["up", "none"]), "panel.button_active": st.just("low")}
    | {"panel.hold_action": st.sampled_from(["nothing", "mute", "shutdown"])},
).map(lambda chosen: {"video.file": "/a.mp4"} | chosen)


@given(_ASSIGNMENTS)
def test_rendered_settings_read_back_unchanged(chosen):
    settings = read("", [f"{path}={value}" for path, value in chosen.items()])
    assert read(render(settings)) == settings
    assert read(render(settings, changed=True)) == settings


def test_lists_and_servers_read_back():
    web = WebSettings(origins=("https://a.example", "http://[::1]:81"), hosts=("cam.example.org",))
    settings = Settings(web=web, ice=IceSettings((IceServer(("stun:a.example",)),)))
    assert read(render(settings)) == settings


def test_camera_controls_read_back():
    controls = (("AfMode", "Continuous"), ("AwbEnable", False), ("ColourGains", (1.5, 2.0)), ("odd name", 3))
    settings = Settings(video=VideoSettings(controls=controls))
    assert 'AfMode = "Continuous", AwbEnable = false, ColourGains = [1.5, 2.0], "odd name" = 3' in render(settings)
    assert read(render(settings)) == settings


def test_pins_read_back():
    settings = Settings(panel=PanelSettings(enabled=True, button=None, start=5, stop=6, lamp=0))
    assert read(render(settings)) == settings
    assert 'button = "off"' in render(settings, changed=True)


def test_ports_read_back():
    settings = Settings(ice=IceSettings(ports=range(50000, 50101)))
    assert 'ports = "50000-50100"\n' in render(settings)
    assert read(render(settings)) == settings


def test_every_setting_is_rendered_with_its_documentation_and_allowed_values():
    text = render(Settings())
    for item in every_setting():
        kind = item.about.kind
        assert f"# {item.about.doc} ({kind.allowed})\n{item.name} = {kind.show(item.default)}\n" in text
    assert "# Width of the video in pixels. (an even number of pixels from 160 to 3840)\nwidth = 1280\n" in text


def test_changed_renders_only_settings_that_differ_from_their_default():
    assert render(Settings(), changed=True) == ""
    shown = render(Settings(video=VideoSettings(fps=15)), changed=True)
    assert tomllib.loads(shown) == {"video": {"fps": 15}}


def test_secrets_are_masked_and_commented_out():
    server = IceServer(("turn:turn.example.org",), "me", "hush")
    secret = Settings(web=WebSettings(viewer_token="hush", operator_token="hush2"), ice=IceSettings((server,)))
    for text in (render(secret), render(secret, changed=True)):
        assert "hush" not in text
        assert "# viewer_token = (set)\n" in text
        assert '# servers = [{urls = ["turn:turn.example.org"], username = "me", credential = "(set)"}]\n' in text
        assert read(text) == Settings()


def test_push_targets_are_masked_and_commented_out():
    target = PushTarget("relay", "https://hush.example:8443/live/key-of-hush/whip?key=hush", token="hush")
    text = render(Settings(push=(target,), web=WebSettings(port=81)), changed=True)
    shown = '{name = "relay", url = "https://hush.example:8443/…", token = "(set)", enabled = true}'
    assert f"# push = [{shown}]\n" in text
    assert read(text) == Settings(web=WebSettings(port=81))


@given(
    st.recursive(
        st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
        lambda parts: (
            st.lists(parts, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), parts, max_size=3)
        ),
    )
)
def test_values_convert_to_valid_toml(value):
    assert tomllib.loads(f"value = {to_toml(value)}") == {"value": value}


def test_the_template_changes_nothing_until_a_line_is_uncommented():
    text = template()
    assert read(text) == Settings()
    bare = "\n".join(line[1:] if line.startswith("#") and line[1] != " " else line for line in text.splitlines())
    named = tomllib.loads(bare)
    assert named.pop("push") == []
    paths = {f"{table}.{name}" for table in named for name in named[table]}
    assert paths | {"push"} == {item.path for item in every_setting()}
    assert read(bare) == Settings()
    assert read(text.replace("#width = 1280", "width = 640")) == Settings(video=VideoSettings(width=640))
