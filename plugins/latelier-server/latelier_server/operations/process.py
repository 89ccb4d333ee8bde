"""The process of a server: it drains at the first signal, and ends when its jobs have."""

import asyncio
from socket import socket
from types import FrameType

import uvicorn
from starlette.applications import Starlette

GRACE = 0.5
"""Seconds after the last job in which its client can still ask for the pictures."""


class DrainingServer(uvicorn.Server):
    """Serves on through the first SIGTERM or SIGINT until all jobs have ended.

    Meanwhile it refuses new jobs with 503, and clients fetch what they wait for. A second signal
    ends it at once.
    """

    def __init__(self, config: uvicorn.Config, app: Starlette, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Start to listen."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at the second."""
        if self._draining is not None or self._loop is None:
            super().handle_exit(sig, frame)
            return
        self._draining = self._loop.create_task(self._drain())
        self._loop.call_soon_threadsafe(lambda: None)  # wakes the loop

    async def _drain(self) -> None:
        await self._app.state.runner.drain(self._drain_seconds)
        await asyncio.sleep(GRACE)
        self.should_exit = True
