"""What WHEP requests contain, and the error that answers a bad one."""

from __future__ import annotations

from aiohttp import hdrs, web

from broadcaster.auth.tokens import bearer_token
from broadcaster.model.stream import QualityPreference
from broadcaster.signaling.player_offer import MAX_BYTES
from broadcaster.web.bodies import read_body


class WhepError(Exception):
    """A request that is answered by an error: HTTP status, message, and seconds for `Retry-After`, if any."""

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def token_of(request: web.Request) -> str:
    """Return the token in the `Authorization` header, or in the query for players that only take a URL."""
    return bearer_token(request.headers.get(hdrs.AUTHORIZATION)) or request.query.get("token", "")


def preference_of(request: web.Request) -> QualityPreference:
    """Return the choice of the rendition. Raises `WhepError`."""
    try:
        return QualityPreference(request.query.get("quality", QualityPreference.AUTO))
    except ValueError:
        raise WhepError(400, f"quality must be one of {', '.join(QualityPreference)}") from None


def require_type(request: web.Request, content_type: str) -> None:
    """Check the content type of the body. Raises `WhepError`."""
    if request.content_type != content_type:
        raise WhepError(415, f"send Content-Type: {content_type}")


async def read_text(request: web.Request) -> str:
    """Return the body, which may be longer than those of other routes. Raises `WhepError`."""
    try:
        return (await read_body(request, MAX_BYTES)).decode()
    except web.HTTPRequestEntityTooLarge:
        raise WhepError(413, f"the body is longer than {MAX_BYTES} bytes") from None
    except web.HTTPRequestTimeout:
        raise WhepError(408, "the body did not arrive in time") from None
    except UnicodeDecodeError:
        raise WhepError(400, "the body is not UTF-8") from None
