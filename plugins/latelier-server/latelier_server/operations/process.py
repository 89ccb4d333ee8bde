"""The process of a server: it drains at the first signal, and ends when its jobs have."""

import asyncio
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from latelier.contracts.errors import InvalidInputError
from starlette.applications import Starlette

from latelier_server.access.gate import MAX_HEADERS

GRACE = 0.5
"""Seconds after the last job in which its client can still ask for the pictures."""

MAX_CONNECTIONS = 1024
"""Most connections at the same time; a further one is answered 503."""


def run_app(
    app: Starlette,
    host: str,
    port: int,
    *,
    drain_seconds: float,
    on_start: Callable[[str], None] = lambda _url: None,
) -> None:
    """Serve an application of `create_app` until the process is told to end.

    Args:
        app: to be served.
        host: address to listen on.
        port: of TCP; 0 for any that is free.
        drain_seconds: that jobs have after SIGTERM.
        on_start: called with the URL, once the server listens.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEADERS,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    DrainingServer(config, app, drain_seconds, on_start).run()


def check_address(host: str, port: int) -> None:
    """Check that a server can listen, before it loads anything.

    Raises:
        InvalidInputError: the address is in use, or not one of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInputError(f"cannot listen on {host}, port {port}: {reason}") from None


class DrainingServer(uvicorn.Server):
    """Serves on through the first SIGTERM or SIGINT until all jobs have ended.

    Meanwhile it refuses new jobs with 503, and clients fetch what they wait for. A second signal
    ends it at once.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        app: Starlette,
        drain_seconds: float,
        on_start: Callable[[str], None],
    ) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._app = app
        self._drain_seconds = drain_seconds
        self._is_draining = False
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            name, port = self.servers[0].sockets[0].getsockname()[:2]
            self._on_start(f"http://{f'[{name}]' if ':' in name else name}:{port}/")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at the second."""
        if self._is_draining or self._loop is None:
            super().handle_exit(sig, frame)
            return
        self._is_draining = True
        self._loop.call_soon_threadsafe(self._start_draining)

    def _start_draining(self) -> None:
        self._task = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        await self._app.state.runner.drain(self._drain_seconds)
        await asyncio.sleep(GRACE)
        self.should_exit = True
