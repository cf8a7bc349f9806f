"""`/api/owner/settings`: the effective settings, where each comes from, and changing those that are safe."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from broadcaster.errors import BroadcasterError, SettingsError
from broadcaster.ports import SettingsControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.settings import CHANGEABLE, every_setting
from broadcaster.settings.kinds import Bool, Enum, Float, Int, IntEnum, Kind
from broadcaster.settings.model import Setting
from broadcaster.settings.toml import to_toml
from broadcaster.web.api import json_response, read_object
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.owner.overview import Parts

_WRONG_BODY = 'The body must be an object such as {"web.max_viewers": 5}; null resets a setting.\n'
_MAX_SHOWN = 80
"""Characters of a new value in the log."""


class SettingsApi:
    """Handlers for the settings; each change is in the log with who made it."""

    def __init__(self, operator: OperatorAuth, parts: Parts, log: RateLimitedLogger) -> None:
        self._operator = operator
        self._parts = parts
        self._log = log

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to this object."""
        router.add_get("/api/owner/settings", self.list)
        router.add_post("/api/owner/settings", self.change)
        router.add_delete("/api/owner/settings", self.reset_all)
        router.add_delete("/api/owner/settings/{path}", self.reset)

    async def list(self, request: web.Request) -> web.Response:
        """List all settings; secrets are masked."""
        self._operator.require(request)
        return _answer(self._control)

    async def change(self, request: web.Request) -> web.Response:
        """Change the settings in the body, all or none."""
        operator, body = self._operator.require(request), await read_object(request)
        if not body:
            raise web.HTTPBadRequest(text=_WRONG_BODY)
        self._change(body)
        for path, value in body.items():
            shown = "reset" if value is None else f"set to {to_toml(value)[:_MAX_SHOWN]}"
            self._log.info("owner", f"{operator}: setting {path} {shown}{self._when(path)}")
        return _answer(self._control)

    async def reset(self, request: web.Request) -> web.Response:
        """Give one setting its value without the owner's page."""
        operator, path = self._operator.require(request), request.match_info["path"]
        if path not in CHANGEABLE:
            raise web.HTTPNotFound(text="There is no such setting that can be changed here.\n")
        self._change({path: None})
        self._log.info("owner", f"{operator}: setting {path} reset{self._when(path)}")
        return _answer(self._control)

    async def reset_all(self, request: web.Request) -> web.Response:
        """Give all settings their values without the owner's page."""
        operator, control = self._operator.require(request), self._control
        try:
            control.reset()
        except BroadcasterError as error:
            raise web.HTTPConflict(text=f"{error}\n") from error
        self._log.info("owner", f"{operator}: all settings of the page reset")
        return _answer(control)

    @property
    def _control(self) -> SettingsControl:
        if self._parts.settings is None:
            raise web.HTTPConflict(text="This daemon's settings cannot be changed.\n")
        return self._parts.settings

    def _change(self, values: dict[str, Any]) -> None:
        """Change settings. Raises HTTP errors."""
        try:
            self._control.change(values)
        except SettingsError as error:
            raise web.HTTPBadRequest(text="\n".join(error.problems)) from error
        except BroadcasterError as error:
            raise web.HTTPConflict(text=f"{error}\n") from error

    def _when(self, path: str) -> str:
        return " after the next start" if path in self._control.pending else ""


def _answer(control: SettingsControl) -> web.Response:
    pending = control.pending
    rows = [_row(setting, control, pending=setting.path in pending) for setting in every_setting()]
    return json_response({"settings": rows, "pending": list(pending)})


def _row(setting: Setting, control: SettingsControl, *, pending: bool) -> dict[str, Any]:
    """Return a setting as the page shows it: its value as TOML, and what a page needs to change it."""
    current, kind = control.current, setting.about.kind
    value = setting.of(current.settings)
    row = {
        "path": setting.path,
        "doc": setting.about.doc,
        "allowed": kind.allowed,
        "shown": kind.show(value),
        "default": kind.show(setting.default),
        "origin": current.origin(setting.path),
        "pending": pending,
    }
    if setting.path in CHANGEABLE:
        when = "now" if CHANGEABLE[setting.path] else "start"
        row |= {"value": value, "input": _input(kind), "applies": when, "on_page": setting.path in current.page}
    return row


def _input(kind: Kind) -> dict[str, Any]:
    """Return what a form field for this kind of values needs."""
    match kind:
        case Bool():
            return {"type": "bool"}
        case Enum(choices) | IntEnum(choices):
            return {"type": "choice", "choices": list(choices)}
        case Int(low, high, unit, step):
            return {"type": "number", "min": low, "max": high, "unit": unit, "step": step}
        case Float(low, high, unit):
            return {"type": "number", "min": low, "max": high, "unit": unit, "step": "any"}
        case _:
            return {"type": "text"}
