"""Who may ask over TCP: programs of this machine that know the token, and no web page."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN_PATH = "/health"  # says nothing of the user's, and probes have no token


class Guard:
    """An application for those who know the token.

    A page in a browser can reach loopback, by its address or by a name that was bound to it after
    the page was loaded (DNS rebinding): the first is seen by its Origin, the second by its Host.
    """

    def __init__(self, application: ASGIApp, token: str, hosts: frozenset[str] = LOOPBACK) -> None:
        self._application, self._token, self._hosts = application, token.encode(), hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or say why not."""
        if scope["type"] == "http" and (no := self._objection(scope["path"], Headers(scope=scope))):
            status, kind, message = no
            body = {"error": {"message": message, "type": kind, "code": status}}
            headers = {"www-authenticate": "Bearer"} if status == 401 else None
            await JSONResponse(body, status, headers)(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    def _objection(self, path: str, headers: Mapping[str, str]) -> tuple[int, str, str] | None:
        if _host(f"//{headers.get('host', '')}") not in self._hosts:
            return 403, "permission_error", "the Host header names another machine"
        origin = headers.get("origin")
        if origin is not None and _host(origin) not in self._hosts:
            return 403, "permission_error", "web pages may not ask Diffill"
        if path == _OPEN_PATH:
            return None
        scheme, _, told = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secrets.compare_digest(
            told.strip().encode(), self._token
        ):
            return None
        return 401, "authentication_error", "the token is missing or wrong: see `diffill serve`"


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
