"""The middleware that every request passes first."""

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latelier_server.access.keys import Client, identify
from latelier_server.access.origins import accepts_host, accepts_origin
from latelier_server.access.rates import RateLimiter
from latelier_server.errors import ServerError, respond
from latelier_server.settings import Limits, Settings

PROTECTED = ("/api", "/v1", "/sdapi", "/metrics")
"""Beginnings of the paths that need a key. Others are health checks, pages without data, and links
to pictures, whose path is the secret."""

MAX_WRONG_KEYS = 20
"""Wrong keys from an address in a minute; further ones are not compared."""

MAX_HEADERS = 32 * 1024
"""Most bytes of the headers of a request."""

_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate:
    """Refuses requests of unknown hosts, origins and clients, and limits their bodies.

    The client of an admitted request is `request.state.client`.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        # a key keeps strangers out whatever name they use: a page of theirs does not have it
        self._hosts = settings.hosts or (("*",) if settings.keys else ())
        self._wrong_keys = RateLimiter(MAX_WRONG_KEYS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            client = self._admit(scope)
        except ServerError as error:
            await respond(scope["path"], error)(scope, receive, send_safely)
            return
        scope.setdefault("state", {})["client"] = client
        body = LimitedBody(receive, self._settings.limits)
        await self._app(scope, body, send_safely)

    def _admit(self, scope: Scope) -> Client:
        headers = Headers(scope=scope)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADERS:
            raise ServerError(431, "the headers are too long", "too_large")
        host = headers.get("host", "")
        if not accepts_host(host, self._hosts):
            raise ServerError(403, "this host is not served here", "forbidden_host")
        fetched = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
        if not accepts_origin(headers.get("origin"), *fetched, host, self._settings.origins):
            raise ServerError(403, "this origin may not call the server", "forbidden_origin")
        _check_length(headers.get("content-length", "0"), self._settings.limits.body)
        address = scope["client"][0] if scope.get("client") else "unknown"
        if not scope["path"].startswith(PROTECTED):
            return Client(address, "")
        return self._identify(headers.get("authorization", ""), address)

    def _identify(self, authorization: str, address: str) -> Client:
        delay = self._wrong_keys.seconds_until(address, 1)
        if delay:
            message = "too many wrong keys; try again later"
            raise ServerError(429, message, "too_many_wrong_keys", retry_after=delay)
        client = identify(authorization, address, self._settings.keys)
        if client is None:
            self._wrong_keys.spend(address, 1)
            raise ServerError(401, "the API key is missing or wrong", "invalid_api_key")
        return client


class LimitedBody:
    """Receives a body that may not be longer, or take longer, than the limits."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive = receive
        self._left = limits.body
        self._limit = limits.body
        self._until = time.monotonic() + limits.body_seconds
        self._is_complete = False

    async def __call__(self) -> Message:
        """Return the next message.

        Raises:
            ServerError: the body is too long, or too slow.
        """
        if self._is_complete:
            return await self._receive()
        try:
            async with asyncio.timeout(self._until - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise ServerError(408, "the body did not arrive in time", "timeout") from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large(self._limit)
        self._is_complete = not message.get("more_body", False)
        return message


def _check_length(text: str, limit: int) -> None:
    if not text.isdecimal():
        raise ServerError(400, "the length of the body is not a number", "invalid_request")
    if len(text) > 15 or int(text) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> ServerError:
    return ServerError(413, f"the body is longer than {limit:,} bytes", "too_large")
