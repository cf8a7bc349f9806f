"""`[[push]]`: what is accepted, all errors together, and no secret shown."""

import pytest

from broadcaster.errors import SettingsError
from broadcaster.settings import PushTarget, read, secret_values

URL = "https://example.org/whip"


def problems(toml: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(toml)
    return caught.value.problems


def test_targets_are_read_from_tables():
    settings = read(
        f'[[push]]\nname = "a"\nurl = "{URL}"\ntoken = "secret"\n'
        '[[push]]\nname = "b"\nurl = "http://[::1]:8889/b/whip"\ntoken_file = "/t"\nenabled = false\n'
    )
    assert settings.push == (
        PushTarget("a", URL, "secret"),
        PushTarget("b", "http://[::1]:8889/b/whip", token_file="/t", enabled=False),
    )
    assert read("").push == ()


def test_targets_are_read_from_the_command_line():
    assert read("", [f"push=[{{name = 'a', url = '{URL}'}}]"]).push == (PushTarget("a", URL),)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("[push]\nname = 'a'", "push: must be a list of tables such as "),
        ("push = [1]", "push target 1: must be a table such as "),
        ("[[push]]\nurl = 'https://a'", 'push target 1, name = "": must be a text of 1 to 40 characters'),
        ("[[push]]\nname = 'a'", 'push target "a", url = "": must be an http or https URL'),
        ("[[push]]\nname = ''\nurl = 'https://a'", 'push target 1, name = "": must be a text of 1 to 40 characters'),
        ("[[push]]\nname = 'a'\nurl = 'rtmp://a'", 'push target "a", url = (set): the scheme must be http or https'),
        (
            "[[push]]\nname = 'a'\nurl = 'https://me:hush@a'",
            'push target "a", url = (set): there must be no user name and no password; use token',
        ),
        ("[[push]]\nname = 'a'\nurl = 'https://'", 'push target "a", url = (set): the host is'),
        (
            "[[push]]\nname = 'a'\nurl = 'https://a:x/'",
            'push target "a", url = (set): the port must be a number from 1 to 65535',
        ),
        ("[[push]]\nname = 'a'\nurl = 'https://[a'", 'push target "a", url = (set): the host is'),
        ("[[push]]\nname = 'a'\nurl = 'https://a..b/'", 'push target "a", url = (set): the host is'),
        (f"[[push]]\nname = 'a'\nurl = 'https://{'a' * 64}.b/'", 'push target "a", url = (set): the host is'),
        ("[[push]]\nname = 'a'\nurl = 'https://a:70000/'", 'push target "a", url = (set): the port must be'),
        ("[[push]]\nname = 'a'\nurl = 'example.org/whip'", 'push target "a", url = (set): the scheme must be'),
        ("[[push]]\nname = 'a'\nurl = 'https://a/#b'", 'push target "a", url = (set): there must be no # in it'),
        ("[[push]]\nname = 'a'\nurl = 7", 'push target "a", url = (set): must be'),
        ("[[push]]\nname = 'a'\nurl = 'https://a'\ntoken = 'hush hush'", 'push target "a", token = (set): must be'),
        (
            "[[push]]\nname = 'a'\nurl = 'https://a'\nenabled = 'no'",
            'push target "a", enabled = "no": must be true or false',
        ),
        (
            "[[push]]\nname = 'a'\nurl = 'https://a'\ntokn = 'hush'",
            'push target "a", tokn: no such field; the fields are name,',
        ),
        (
            "[[push]]\nname = 'a'\nurl = 'https://a'\ntoken = 'hush'\ntoken_file = '/b'",
            'push target "a": both token and token_file are set; set only one of them',
        ),
        (
            "[[push]]\nname = 'a'\nurl = 'https://a'\n" * 2,
            'push target 2, name = "a": target 1 has it, too; choose another',
        ),
        (
            "".join(f"[[push]]\nname = '{n}'\nurl = 'https://a'\n" for n in range(9)),
            "push: has 9 targets; at most 8 are possible",
        ),
    ],
)
def test_invalid_targets_are_reported(toml, problem):
    found = problems(toml)
    assert found[0].startswith(problem)
    assert "hush" not in "\n".join(found)


def test_all_problems_are_reported_together():
    toml = "[web]\nport = -1\n[[push]]\nname = 'a'\nurl = 'x'\nenabled = 1\n[[push]]\ntoken = 'a b'\n"
    assert [problem.split(":")[0] for problem in problems(toml)] == [
        "web.port = -1",
        'push target "a", url = (set)',
        'push target "a", enabled = 1',
        'push target 2, name = ""',
        'push target 2, url = ""',
        "push target 2, token = (set)",
    ]


def test_each_target_needs_a_media_port_of_its_own():
    ports = "[ice]\nports = '50000-50019'\n"
    assert read(ports)
    (problem,) = problems(f"{ports}[[push]]\nname = 'a'\nurl = '{URL}'\n")
    assert "each push target needs its own" in problem


def test_secrets_of_targets_are_masked_in_the_log_and_in_representations():
    settings = read(
        "[[push]]\nname = 'a'\nurl = 'https://a/hush-hush-hush-hush/live?key=hush-hush-hush-hush2'\ntoken='hush'"
    )
    assert secret_values(settings) == {"hush", "hush-hush-hush-hush", "hush-hush-hush-hush2"}
    assert settings.push[0].server == "https://a"
    assert "hush" not in repr(settings)
