"""Waiting for a job in a request whose answer has its pictures."""

import asyncio

from starlette.requests import Request

from latelier_server.jobs.job import ServerJob

POLL = 0.2
"""Seconds between two looks at whether the client is still there."""


async def wait_for(job: ServerJob, request: Request) -> None:
    """Wait until a job has ended, and cancel it if its client goes away.

    Raises:
        ServerError: the job failed or was cancelled.
    """
    waiting = asyncio.create_task(job.wait())
    try:
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=POLL)
            if not waiting.done() and await request.is_disconnected():
                job.cancel()
    finally:
        waiting.cancel()
    if job.error is not None:
        raise job.error
