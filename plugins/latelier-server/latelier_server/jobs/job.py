"""A job: a request from its acceptance to its pictures, which outlives the connection."""

import asyncio
import io
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from latelier.contracts.errors import EngineError

from latelier_server.errors import ServerError
from latelier_server.models.host import Run, RunPreview

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]

KEEP_ALIVE = 15.0
"""Seconds after which a reader of a job that does not change is sent something."""

_PREVIEW_QUALITY = 80


@dataclass(frozen=True)
class FinishedPicture:
    """A picture of a job.

    Attributes:
        data: bytes of a PNG with its provenance.
        seed: with it the picture can be made again alone.
        width: in pixels.
        height: in pixels.
        gallery_id: in the gallery; None if it is not kept there.
        drew: its references, as the provenance has them.
    """

    data: bytes
    seed: int
    width: int
    height: int
    gallery_id: str | None = None
    drew: Sequence[Mapping[str, Any]] = ()


@dataclass(eq=False)
class ServerJob:
    """A request that a model has accepted.

    Attributes:
        owner: who may see it.
        model: its name.
        run: of the model; None once it has ended, so that its model can be unloaded.
        warnings: human-readable sentences about the request.
        id: cannot be guessed.
        created: seconds since 1970.
        step: of `steps`, of the batch that runs.
        steps: 0 before the first.
        batch: of `batches`, from 1.
        preview: of the last step.
        pictures: of finished batches.
        error: why it failed or was cancelled.
        result: of a replay.
    """

    owner: str
    model: str
    run: Run | None
    warnings: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    step: int = 0
    steps: int = 0
    batch: int = 1
    batches: int = 1
    preview: RunPreview | None = None
    pictures: list[FinishedPicture] = field(default_factory=list)
    error: ServerError | None = None
    result: dict[str, Any] | None = None
    _readers: set[asyncio.Event] = field(default_factory=set)
    _encoding: asyncio.Lock = field(default_factory=asyncio.Lock)
    _encoded: tuple[RunPreview, str, bytes] | None = None

    @property
    def state(self) -> State:
        """Where it is on its way."""
        if self.ended is None:
            return "running" if self.position is None else "queued"
        if self.error is None:
            return "succeeded"
        return "cancelled" if self.error.code == "cancelled" else "failed"

    @property
    def position(self) -> int | None:
        """How many waiting jobs start before this one; None if it has started or ended."""
        return None if self.run is None else self.run.position

    @property
    def is_done(self) -> bool:
        """Whether it has ended, with pictures or an error."""
        return self.ended is not None

    @property
    def progress(self) -> float:
        """Share of the steps that are done, 0 to 1."""
        if self.is_done:
            return 1.0
        done = self.batch - 1 + (self.step / self.steps if self.steps else 0.0)
        return min(1.0, done / self.batches)

    @property
    def seconds_left(self) -> float:
        """Seconds until its end, as fast as it was so far; 0 before the first step."""
        if self.started is None or self.is_done or not self.progress:
            return 0.0
        return (time.time() - self.started) * (1 - self.progress) / self.progress

    def advance(self, preview: RunPreview) -> None:
        """Take a preview of the run."""
        self.started = self.started or time.time()
        self.step, self.steps = preview.step, preview.steps
        self.batch, self.batches = preview.batch, preview.batches
        self.preview = preview
        self._wake()

    def end(self, pictures: list[FinishedPicture], error: ServerError | None) -> None:
        """End with pictures or an error."""
        self.pictures, self.error = pictures, error
        self.run = self.preview = self._encoded = None
        self.ended = time.time()
        self._wake()

    def cancel(self) -> None:
        """Stop before the next step. A job that has ended stays as it is."""
        if self.run is not None:
            self.run.cancel()

    async def wait(self) -> None:
        """Wait until the job has ended."""
        async for _ in self.changes():
            pass

    async def changes(self) -> AsyncIterator[None]:
        """Yield now, after each change, and at least every `KEEP_ALIVE` seconds until the end."""
        changed = asyncio.Event()
        self._readers.add(changed)
        try:
            while not self.is_done:
                changed.clear()
                yield
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), KEEP_ALIVE)
            yield
        finally:
            self._readers.discard(changed)

    async def encode_preview(self, file_format: str = "JPEG") -> bytes | None:
        """Return the last preview as the bytes of a file; None if there is none."""
        async with self._encoding:  # it is decoded once, however many read
            preview = self.preview
            if preview is None:
                return None
            if self._encoded is not None and self._encoded[:2] == (preview, file_format):
                return self._encoded[2]
            try:
                data = await asyncio.to_thread(_encode, preview, file_format)
            except EngineError:  # the run has ended meanwhile
                return None
            if preview is self.preview:  # else the job has gone on, or ended
                self._encoded = preview, file_format, data
            return data

    def _wake(self) -> None:
        for changed in self._readers:
            changed.set()


def _encode(preview: RunPreview, file_format: str) -> bytes:
    buffer = io.BytesIO()
    preview.image.save(buffer, file_format, quality=_PREVIEW_QUALITY)
    return buffer.getvalue()
