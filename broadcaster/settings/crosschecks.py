"""What single settings cannot know: those that do not fit each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

from broadcaster.auth.tokens import is_weak
from broadcaster.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Constraint:
    """Settings, named by `paths`, that do not fit each other when `found` says so."""

    paths: tuple[str, ...]
    found: Callable[[Settings], bool]
    wrong: str


_PINS = ("button", "start", "stop", "lamp", "watch_lamp")


def _same_pin(one: str, other: str) -> Constraint:
    def found(settings: Settings) -> bool:
        pin = getattr(settings.panel, one)
        return pin is not None and pin == getattr(settings.panel, other)

    paths = (f"panel.{one}", f"panel.{other}")
    return Constraint(paths, found, f"{paths[0]} and {paths[1]}: must not be the same pin")


_SAME_PINS = tuple(_same_pin(one, other) for one, other in combinations(_PINS, 2))

CONSTRAINTS = (
    *_SAME_PINS,
    Constraint(
        ("panel.pull", "panel.button_active"),
        lambda settings: (settings.panel.pull, settings.panel.button_active) in (("up", "high"), ("down", "low")),
        "panel.pull: must pull away from panel.button_active, or a button counts as pressed while nobody touches it",
    ),
    Constraint(
        ("video.source", "video.file"),
        lambda settings: settings.video.source == "file" and not settings.video.file,
        'video.source = "file": needs video.file, the file to play',
    ),
    Constraint(
        ("audio.source", "video.file"),
        lambda settings: settings.audio.source == "file" and not settings.video.file,
        'audio.source = "file": needs video.file, the file whose sound to play',
    ),
    Constraint(
        ("web.viewer_token", "web.operator_token"),
        lambda settings: settings.web.viewer_token != "" and settings.web.viewer_token == settings.web.operator_token,
        "web.operator_token = (set): must differ from web.viewer_token, or every viewer can stop the stream",
    ),
    Constraint(
        ("web.certificate", "web.key"),
        lambda settings: (settings.web.certificate == "") != (settings.web.key == ""),
        "web.certificate, web.key: must both be set, or none of them",
    ),
    Constraint(
        ("ice.servers", "ice.turn_secret"),
        lambda settings: _relays_without_credential(settings) and not settings.ice.turn_secret,
        "ice.servers: a TURN server needs username and credential, or ice.turn_secret to make them from",
    ),
    Constraint(
        ("ice.turn_secret", "ice.servers"),
        lambda settings: settings.ice.turn_secret != "" and not _relays_without_credential(settings),
        "ice.turn_secret = (set): needs a TURN server without username and credential in ice.servers",
    ),
    Constraint(
        ("ice.ports", "web.max_viewers"),
        lambda settings: 0 < len(settings.ice.ports) < settings.web.max_viewers,
        "ice.ports: must be at least as many as web.max_viewers, as each viewer needs its own",
    ),
)


def _relays_without_credential(settings: Settings) -> bool:
    return any(server.wants_credential for server in settings.ice.servers)


def weak_tokens(settings: Settings) -> list[str]:
    """Return the names of the tokens that are long enough, but easy to guess."""
    tokens = {"web.viewer_token": settings.web.viewer_token, "web.operator_token": settings.web.operator_token}
    return [name for name, token in tokens.items() if token and is_weak(token)]
