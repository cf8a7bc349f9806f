"""Layers of settings: the command line above the owner's page, above the file, above the defaults."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.errors import SettingsError
from broadcaster.settings import CHANGEABLE, Origin, every_setting, page_toml, read_all_layers, read_layers, render
from broadcaster.settings.station import StationSettings, Time

FILE = "[video]\nwidth = 640\nfps = 15\nbitrate = 1000000\n"
PAGE = "[video]\nfps = 20\nbitrate = 2000000\n"


def test_each_layer_covers_those_below_it():
    read = read_layers(FILE, PAGE, ["video.bitrate=3000000"])
    video = read.settings.video
    assert (video.width, video.fps, video.bitrate, video.height) == (640, 20, 3_000_000, 720)
    names = ("width", "fps", "bitrate", "height")
    origins = [read.origin(f"video.{name}") for name in names]
    assert origins == [Origin.FILE, Origin.PAGE, Origin.COMMAND_LINE, Origin.DEFAULT]
    assert read.page == {"video.fps": 20, "video.bitrate": 2_000_000}


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("nonsense", "not valid TOML"),
        ("[video]\nfps = 0\n", "video.fps = 0: must be a whole number from 1 to 120"),
        ("[video]\nfsp = 1\n", "video.fsp: no such setting"),
        ('[web]\noperator_token = "orchard-gravel-topaz-nine"\n', "web.operator_token: cannot be changed"),
        ("push = []\n", "push: cannot be changed"),
        ("[web]\nmax_viewers = 50\n", "ice.ports: has fewer ports"),
    ],
)
def test_invalid_layer_of_the_page_is_left_out(page, problem):
    ports = ["ice.ports=50000-50029"]
    read = read_layers(FILE, page, ports)
    assert read.settings == read_layers(FILE, "", ports).settings
    assert problem in "".join(read.page_problems)
    with pytest.raises(SettingsError, match=r".") as error:
        read_all_layers(FILE, page, ports)
    assert tuple(error.value.problems) == read.page_problems


def test_invalid_file_is_an_error_whatever_the_page_says():
    with pytest.raises(SettingsError):
        read_layers("[video]\nwidth = 0\n", PAGE, [])


def test_what_the_page_may_change_is_single_and_no_secret():
    kinds = {item.path: item.about.kind for item in every_setting()}
    assert set(CHANGEABLE) <= set(kinds)
    for path in CHANGEABLE:
        default = next(item.default for item in every_setting() if item.path == path)
        assert isinstance(default, bool | int | float | str)
        assert not kinds[path].is_secret("x")
        assert path.partition(".")[0] != "web" or path == "web.max_viewers", "access is not changed by the page"


@given(
    st.dictionaries(
        st.sampled_from(sorted(CHANGEABLE)), st.text() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans()
    )
)
def test_any_values_are_written_as_valid_toml(values):
    text = page_toml({path: value for path, value in values.items() if not _has_surrogates(value)})
    tables = tomllib.loads(text)
    assert sum(map(len, tables.values())) == len([value for value in values.values() if not _has_surrogates(value)])


def _has_surrogates(value):
    return isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value)


def test_rendered_settings_tell_their_origin():
    read = read_layers(FILE, PAGE, ["video.bitrate=3000000"])
    text = render(read.settings, changed=True, origins=read.origins)
    assert "pixels from 160 to 3840; set in the file)\nwidth = 640\n" in text
    assert "; set on the owner's page)\nfps = 20\n" in text
    assert "; set on the command line)\nbitrate = 3000000\n" in text
    assert read_all_layers(text, "", []).settings == read.settings


@pytest.mark.parametrize(
    ("text", "unix"), [("2030-12-24 18:00+01:00", 1924362000), ("2030-12-17T17:00:00+00:00", 1923757200)]
)
def test_planned_start(text, unix):
    assert StationSettings(next=text).next_unix == unix
    assert Time().read(text) == text


@pytest.mark.parametrize(
    "text", ["soon", "2030-12-24", "25:00", "9999-99-99 00:00", "0001-01-01 00:00", 5, True, "x" * 99]
)
def test_wrong_time(text):
    with pytest.raises(SettingsError, match=r"station.next"):
        read_all_layers("", page_toml({"station.next": text}), [])


def test_toml_date_time_is_a_time():
    read = read_all_layers("[station]\nnext = 2030-12-24T18:00:00+01:00\n", "", [])
    assert read.settings.station.next == "2030-12-24 18:00:00+01:00"
