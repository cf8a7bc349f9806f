"""The owner's API: its parts, and their routes."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.storage.secrets import SecretFile
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.owner.actions import OwnerActions
from broadcaster.web.owner.events import OwnerEvents
from broadcaster.web.owner.links import LinksApi
from broadcaster.web.owner.overview import Overview, Parts
from broadcaster.web.owner.settings import SettingsApi
from broadcaster.web.owner.sign_in import SignInApi
from broadcaster.web.viewer_auth import ViewerAuth


class OwnerApi:
    """Everything below `/api/owner/`; `parts` gets what the daemon builds later."""

    def __init__(
        self,
        operator: OperatorAuth,
        parts: Parts,
        auth: ViewerAuth,
        link_key: SecretFile | None,
        version: str,
        log: RateLimitedLogger,
        end_links: Callable[[str], None],
        read_files: Callable[[], None],
    ) -> None:
        """`link_key` is None if the daemon accepts no links; `read_files` notices that it has changed.

        `end_links` ends what the viewers of a link have now.
        """
        self.parts = parts
        self.sign_in = SignInApi(operator, parts.clock, log)
        self._events = OwnerEvents(operator, Overview(parts, version))
        self._actions = OwnerActions(operator, parts, log)
        self._settings = SettingsApi(operator, parts, log)
        self._links = LinksApi(operator, auth, link_key, parts.clock, log, end_links, read_files)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Route the requests to the parts."""
        router.add_get("/api/owner/state", self._events.state)
        router.add_get("/api/owner/events", self._events.handle, allow_head=False)
        for part in (self.sign_in, self._actions, self._links, self._settings):
            part.add_routes(router)

    def close(self) -> None:
        """Close the WebSockets of the pages."""
        self._events.close()
        if self.parts.check is not None:
            self.parts.check.close()
