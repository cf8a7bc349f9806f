"""Constraints between settings: combinations that are invalid although each value alone is valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

from broadcaster.auth.tokens import is_weak
from broadcaster.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule about the settings in `paths`, and the error message for settings that violate it."""

    paths: tuple[str, ...]
    is_violated: Callable[[Settings], bool]
    message: str


_PINS = ("button", "start", "stop", "lamp", "watch_lamp")


def _different_pins(first: str, second: str) -> Constraint:
    def is_violated(settings: Settings) -> bool:
        pin = getattr(settings.panel, first)
        return pin is not None and pin == getattr(settings.panel, second)

    paths = (f"panel.{first}", f"panel.{second}")
    message = f'{paths[0]} and {paths[1]}: both use the same pin; give one of them another pin, or set it to "off"'
    return Constraint(paths, is_violated, message)


def _lacks_credential(settings: Settings) -> bool:
    return any(server.needs_credential for server in settings.ice.servers)


CONSTRAINTS = (
    *(_different_pins(first, second) for first, second in combinations(_PINS, 2)),
    Constraint(
        ("panel.pull", "panel.button_active"),
        lambda settings: (settings.panel.pull, settings.panel.button_active) in (("up", "high"), ("down", "low")),
        "panel.pull: pulls towards panel.button_active, so that a released button reads as pressed; "
        'use "up" with "low", or "down" with "high"',
    ),
    Constraint(
        ("panel.hold_action", "record.mode", "record.clip"),
        lambda settings: (
            settings.panel.hold_action == "clip" and (settings.record.mode == "off" or not settings.record.clip)
        ),
        'panel.hold_action = "clip": the recorder is off or keeps nothing for clips; '
        'set record.mode to "demand" or "live", and record.clip to more than 0',
    ),
    Constraint(
        ("video.source", "video.file"),
        lambda settings: settings.video.source == "file" and not settings.video.file,
        'video.source = "file": there is no file to play; set video.file',
    ),
    Constraint(
        ("audio.source", "video.file"),
        lambda settings: settings.audio.source == "file" and not settings.video.file,
        'audio.source = "file": there is no file whose audio to play; set video.file',
    ),
    Constraint(
        ("web.viewer_token", "web.operator_token"),
        lambda settings: settings.web.viewer_token != "" and settings.web.viewer_token == settings.web.operator_token,
        "web.operator_token = (set): is the same as web.viewer_token, so that every viewer could stop the stream; "
        "use another one (`broadcaster token` prints one)",
    ),
    Constraint(
        ("web.certificate", "web.key"),
        lambda settings: (settings.web.certificate == "") != (settings.web.key == ""),
        "web.certificate and web.key: only one of them is set; set both for https, or none for http",
    ),
    Constraint(
        ("ice.servers", "ice.turn_secret"),
        lambda settings: _lacks_credential(settings) and not settings.ice.turn_secret,
        "ice.servers: a TURN server has no credential; set its username and credential, or ice.turn_secret",
    ),
    Constraint(
        ("ice.turn_secret", "ice.servers"),
        lambda settings: settings.ice.turn_secret != "" and not _lacks_credential(settings),
        "ice.turn_secret = (set): no server uses it; add a TURN server without username and credential to ice.servers, "
        "or remove the secret",
    ),
    Constraint(
        ("ice.ports", "web.max_viewers", "push"),
        lambda settings: 0 < len(settings.ice.ports) < settings.web.max_viewers + len(settings.push),
        "ice.ports: has fewer ports than web.max_viewers, but each viewer and each push target needs its own; "
        "widen the range, or lower web.max_viewers",
    ),
)


def weak_tokens(settings: Settings) -> list[str]:
    """Return the names of the tokens that are long enough, but easy to guess."""
    tokens = {"web.viewer_token": settings.web.viewer_token, "web.operator_token": settings.web.operator_token}
    return [name for name, token in tokens.items() if token and is_weak(token)]
