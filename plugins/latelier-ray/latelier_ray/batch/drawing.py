"""The worker of a batch: loads the model once, and draws chunks of rows with an engine."""

import platform
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from latelier.cli.options.adapters import attach_adapters, read_adapters
from latelier.contracts.errors import CompatibilityError, EngineError
from latelier.engine import Engine, Job
from latelier.io.hashing import sha256_of
from latelier.kernel.default import default_atelier
from latelier.pipeline import Pipeline, load
from latelier.pipeline.picture import Picture
from latelier.pipeline.storage.manifest_header import MANIFEST
from latelier.pipeline.storage.sources import find

from latelier_ray.batch.chunks import Chunk
from latelier_ray.batch.folder import BatchFolder
from latelier_ray.batch.requests import PictureRequest
from latelier_ray.batch.shards import write_shard
from latelier_ray.machine import Home


@dataclass(frozen=True)
class DrawingSettings:
    """What a worker draws with.

    Attributes:
        model: name or folder, with the revision on the hub.
        adapters: as of `latelier generate --adapter`.
        device: where the model is.
        dtype: its precision.
        threads: CPU threads.
        rows: of each call of the denoiser, always filled, so that pictures have the same bits in
            any company.
    """

    model: str
    adapters: tuple[str, ...]
    device: str
    dtype: str
    threads: int
    rows: int


@dataclass(frozen=True)
class ChunkReport:
    """What became of a chunk.

    Attributes:
        number: of the chunk.
        rows: that it has.
        failed: rows without a picture.
    """

    number: int
    rows: int
    failed: int


class DrawingWorker:
    """Draws chunks; two at a time keep the engine busy while pictures are written.

    Args:
        settings: what it draws with.
        folder: of the batch.
        manifest_sha256: of the model that the batch was planned with.
        home: where the command was started.

    Raises:
        DataError: this machine does not see the folder of the batch.
        CompatibilityError: it has another model, or other versions.
        LatelierError: the model cannot be loaded.
    """

    def __init__(
        self,
        settings: DrawingSettings,
        folder: BatchFolder,
        manifest_sha256: str,
        home: Home,
    ) -> None:
        torch.set_num_threads(settings.threads)
        home.enter(folder.path)
        _check_model(settings.model, manifest_sha256)
        self._folder = folder
        self._window = 2 * settings.rows
        self._running = ExitStack()  # for the life of the process
        self._engine = self._running.enter_context(
            Engine(
                _load(settings),
                rows=settings.rows,
                active=settings.rows,
                queue=2 * self._window,
                exact=True,
            )
        )
        self._engine.warm()

    def compute(self, chunk: Chunk) -> ChunkReport:
        """Draw a chunk and store it.

        Raises:
            OSError: a file cannot be written.
            EngineError: the engine has ended.
        """
        faults: list[dict[str, str]] = []
        with write_shard(self._folder.shard(chunk.number)) as shard:
            for request, outcome in self._draw(chunk):
                if isinstance(outcome, Picture):
                    shard.add(request, outcome)
                else:
                    reason = str(outcome) or type(outcome).__name__
                    faults.append({"id": request.id, "reason": reason})
            self._folder.write_errors(chunk.number, faults)
        return ChunkReport(chunk.number, len(chunk.requests), len(faults))

    def _draw(self, chunk: Chunk) -> Iterator[tuple[PictureRequest, Picture | BaseException]]:
        """Yield the picture of each row, in order, or why there is none."""
        waiting: deque[tuple[PictureRequest, Job | BaseException]] = deque()
        for request in chunk.requests:
            waiting.append((request, self._submit(request, priority=-chunk.number)))
            if len(waiting) == self._window:
                yield _finish(*waiting.popleft())
        while waiting:
            yield _finish(*waiting.popleft())

    def _submit(self, request: PictureRequest, priority: int) -> Job | BaseException:
        try:
            return self._engine.submit_json(request.request, priority=priority)
        except (EngineError, KeyboardInterrupt):
            raise
        except BaseException as error:  # also SystemExit of a plugin: it ends the row alone
            return error


def _finish(
    request: PictureRequest, job: Job | BaseException
) -> tuple[PictureRequest, Picture | BaseException]:
    if isinstance(job, BaseException):
        return request, job
    try:
        [picture] = job.result()
    except (EngineError, KeyboardInterrupt):
        raise
    except BaseException as error:  # also SystemExit of a plugin: it ends the row alone
        return request, error
    return request, picture


def _load(settings: DrawingSettings) -> Pipeline:
    atelier = default_atelier()
    pipeline = load(settings.model, settings.device, settings.dtype, atelier=atelier)
    return attach_adapters(pipeline, read_adapters(settings.adapters, atelier))


def _check_model(model: str, manifest_sha256: str) -> None:
    if sha256_of(find(model).folder / MANIFEST) != manifest_sha256:
        raise CompatibilityError(
            f"{model}: the machine {platform.node()} has another model of this name"
        )
