"""Reading settings from TOML and assignments, and error messages for invalid ones."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.errors import SettingsError
from broadcaster.settings import Settings, VideoSettings, read, weak_tokens
from broadcaster.settings.model import every_setting


def problems(toml: str = "", *assignments: str) -> list[str]:
    """Return the error messages for invalid settings."""
    with pytest.raises(SettingsError) as caught:
        read(toml, assignments)
    return caught.value.problems


def test_empty_input_gives_the_defaults():
    assert read() == Settings()


def test_settings_not_in_the_file_keep_their_defaults():
    assert read("[video]\nwidth = 640\nheight = 360\n") == Settings(video=VideoSettings(width=640, height=360))


def test_the_last_assignment_overrides_earlier_ones_and_the_file():
    settings = read("[video]\nwidth = 640\nfps = 15", ["video.width=800", "video.width = 960"])
    assert (settings.video.width, settings.video.fps) == (960, 15)


@pytest.mark.parametrize(
    ("assignment", "table", "name", "value"),
    [
        ('video.file=/films/a = b\'s "best".mp4', "video", "file", '/films/a = b\'s "best".mp4'),
        ("video.file=", "video", "file", ""),
        ("video.file=640", "video", "file", "640"),
        ("audio.device=true", "audio", "device", "true"),
        ("stream.start=live", "stream", "start", "live"),
        ("web.port=0x1F90", "web", "port", 8080),
        ("video.bitrate=1_000_000", "video", "bitrate", 1_000_000),
        ("video.keyframe_interval=1", "video", "keyframe_interval", 1.0),
        (
            'web.origins=["https://a.example", "http://[::1]:81"]',
            "web",
            "origins",
            ("https://a.example", "http://[::1]:81"),
        ),
        ("web.hosts=['cam.example.org']", "web", "hosts", ("cam.example.org",)),
    ],
)
def test_assignments_are_literal_for_texts_and_toml_for_other_kinds(assignment, table, name, value):
    assert getattr(getattr(read("", [assignment]), table), name) == value


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("video.width=1281", "video.width = 1281: must be an even number of pixels from 160 to 3840"),
        ("video.height=88", "video.height = 88: must be an even number of pixels from 90 to 2160"),
        ("video.fps=thirty", 'video.fps = "thirty": must be a whole number from 1 to 120'),
        ("video.fps=30.0", "video.fps = 30.0: must be a whole number from 1 to 120"),
        ("video.fps=1\nwidth = 640", 'video.fps = "1\\nwidth = 640": must be a whole number from 1 to 120'),
        ("web.port=65536", "web.port = 65536: must be a whole number from 0 to 65535"),
        ("web.port=true", "web.port = true: must be a whole number from 0 to 65535"),
        ("web.max_viewers=0", "web.max_viewers = 0: must be a whole number from 1 to 1000"),
        ("video.keyframe_interval=nan", "video.keyframe_interval = nan: must be a number of seconds from 0.5 to 30"),
        ("video.keyframe_interval=true", "video.keyframe_interval = true: must be a number of seconds from 0.5 to 30"),
        ("stream.start=Live", 'stream.start = "Live": must be one of last, live, offline; did you mean live?'),
        ("log.level=loud", 'log.level = "loud": must be one of debug, info, warning, error'),
        ("web.host=http://a", 'web.host = "http://a": must be an IP address, a host name, or empty'),
        ("web.origins=https://a", 'web.origins = "https://a": must be a list such as ["https://example.org"]'),
        (
            'web.origins=["https://a", "https://b/c", 3]',
            'web.origins[1] = "https://b/c": must be an origin such as https://example.org:8443, without path',
        ),
        ('web.hosts=["a;b"]', 'web.hosts[0] = "a;b": must be a host name without port'),
    ],
)
def test_errors_name_the_path_the_value_and_the_allowed_values(assignment, problem):
    assert problems("", assignment)[0] == problem


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("video.widht=640", "video.widht: no such setting; did you mean video.width?"),
        ("widht=640", "widht: no such setting; did you mean video.width?"),
        ("fps=30", "fps: no such setting; did you mean video.fps?"),
        ("audio.fps=30", "audio.fps: no such setting; did you mean video.fps?"),
        ("chat.colour=true", "chat.colour: no such setting"),
        ("video.fps", "--set video.fps: must be KEY=VALUE, such as video.width=640"),
    ],
)
def test_unknown_keys_get_the_nearest_known_one_suggested(assignment, problem):
    assert problems("", assignment) == [problem]


def test_unknown_tables_and_keys_in_a_file_are_reported():
    assert problems("port = 80\nlog = 3\n[vidoe]\nfps = 3\n[web]\nprt = 1\n") == [
        "port: no such table or setting; did you mean web.port?",
        "log: must be a table, [log]",
        "vidoe: no such table or setting; did you mean video?",
        "web.prt: no such setting; did you mean web.port?",
    ]


def test_a_syntax_error_names_its_line_and_assignments_are_still_checked():
    first, second = problems("[web]\nport = 80\nhost 3\n", "web.port=-1")
    assert first.startswith("not valid TOML: ")
    assert "line 3" in first
    assert second.startswith("web.port = -1: ")


def test_all_problems_are_reported_together():
    reported = problems(
        '[video]\nwidth = 1\nheight = "a"\nfoo = 1\n[ice]\nservers = 3\n', "web.port=x", "audio.source=file"
    )
    assert [problem.split(" ")[0] for problem in reported] == [
        "video.foo:", "video.width", "video.height", "ice.servers:", "web.port", "audio.source",
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["video", "audio"])
def test_a_file_source_needs_a_file(source):
    assert problems("", f"{source}.source=file")[0].startswith(f'{source}.source = "file": there is no file ')
    assert read("", [f"{source}.source=file", "video.file=/a.mp4"]).video.file == "/a.mp4"


@pytest.mark.parametrize("record", [[], ["record.mode=live", "record.clip=0"]])
def test_a_button_that_saves_clips_needs_the_recorder(record):
    (problem,) = problems("", "panel.hold_action=clip", *record)
    assert problem.startswith('panel.hold_action = "clip": the recorder is off or ')
    assert read("", ["panel.hold_action=clip", "record.mode=demand"]).record.clip == 60


def test_constraints_are_not_checked_for_invalid_values():
    assert len(problems("[video]\nfile = 3\n", "video.source=file")) == 1


TOKEN = "orchard-gravel-topaz-nine"


@pytest.mark.parametrize("name", ["web.viewer_token", "web.operator_token"])
def test_the_error_for_a_short_token_names_the_command_that_makes_a_good_one(name):
    (problem,) = problems("", f"{name}=nineteen-characters")
    assert problem.startswith(f"{name} = (set): must be empty, or 20 to 256 ")
    assert "`broadcaster token`" in problem
    assert read("", [f"{name}=twenty-characters-aa"]).web != Settings().web
    assert read("", [f"{name}="]) == Settings()


def test_weak_tokens_are_named():
    weak, good = "123456789012345678901234567890", TOKEN
    assert weak_tokens(read("", [f"web.viewer_token={weak}", f"web.operator_token={good}"])) == ["web.viewer_token"]
    assert weak_tokens(read("", [f"web.viewer_token={good}", f"web.operator_token={weak}"])) == ["web.operator_token"]
    assert weak_tokens(Settings()) == []


@pytest.mark.parametrize(
    ("unknown", "suggested"),
    [
        ("ice.port", "ice.ports"),
        ("web.prt", "web.port"),
        ("web.host_names", "web.hosts"),
        ("panel.lamb", "panel.lamp"),
        ("audio.sources", "audio.source"),
        ("audio.file", "video.file"),
        ("video.gain", "audio.gain"),
        ("port", "web.port"),
        ("vidoe.fps", "video.fps"),
    ],
)
def test_suggestions_prefer_settings_of_the_same_table(unknown, suggested):
    (problem,) = problems("", f"{unknown}=1")
    assert problem == f"{unknown}: no such setting; did you mean {suggested}?"


def test_viewer_and_operator_token_must_differ():
    (problem,) = problems("", f"web.viewer_token={TOKEN}", f"web.operator_token={TOKEN}")
    assert problem.startswith("web.operator_token = (set): is the same as web.viewer_token")


SECRETS = [
    ("", "web.viewer_token=hush hush"),
    ("", "web.operator_token=hush\n"),
    ("", "web.viewr_token=hush"),
    ("web = {viewer_token = ['hush']}", ""),
    ("web = 'hush'", ""),
    ("[web]\npassword = 'hush'", ""),
    ("[ice]\nservers = 'hush'", ""),
    ("[ice]\nservers = ['hush']", ""),
    ("", "ice.servers=[{urls = ['turn:a'], username = 'me', credential = 'hush'}"),
    ("", "ice.servers=[{urls = ['turn:a'], username = 'me', credential = ['hush']}]"),
    ("", "ice.servers=[{urls = ['turn:a'], username = 'me', credentail = 'hush'}]"),
    ("", "ice.servers=[{urls = ['turn:a'], credential = 'hush'}]"),
    ("", "ice.servers=[{urls = ['turn:me:hush@a'], username = 'me', credential = 'hush'}]"),
    ("", "web.viewer_token=hush-hush\nhush"),
]


@pytest.mark.parametrize(("toml", "assignment"), SECRETS)
def test_error_messages_contain_no_secrets(toml, assignment):
    assert "hush" not in "\n".join(problems(toml, *filter(None, [assignment])))


def test_the_repr_of_settings_contains_no_secrets():
    ice = "ice.servers=[{urls = ['turn:a'], username = 'me', credential = 'hush'}]"
    assert "hush" not in repr(read("", [f"web.viewer_token=hush1{TOKEN}", f"web.operator_token=hush2{TOKEN}", ice]))


def test_long_values_are_truncated_in_error_messages():
    (problem,) = problems("", f"web.host={'/' * 10_000}")
    assert len(problem) < 250


@pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, "[" * 5000, "\ud800"])
def test_values_that_break_parsers_are_reported_as_errors(value):
    assert len(problems("", f"video.fps={value}", f"log.level={value}")) == 2
    if value.isprintable():
        assert problems(f"[video]\nfps = {value}\n")


# Valid and invalid content of a settings file, in any order.
_KEYS = st.sampled_from([setting.path for setting in every_setting()]) | st.text(max_size=20)
_VALUES = (
    st.text(max_size=30)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.sampled_from(["[]", "[{}]", "[{urls=[]}]", '["a"]', "true", "1979-05-27", "{}", "''"])
)


@given(st.lists(st.tuples(_KEYS, _VALUES), max_size=5))
def test_any_text_is_accepted_or_rejected_with_a_message(pairs):
    lines = [f"{key}={value}" for key, value in pairs]
    for toml, assignments in (("", lines), ("\n".join(lines), [])):
        try:
            settings = read(toml, assignments)
        except SettingsError as error:
            messages = error.problems
        else:
            messages = []
            assert not math.isnan(settings.video.keyframe_interval)
        assert all(messages)
