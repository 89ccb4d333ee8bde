"""Runs a batch: checks its rows, starts workers, and gives them the chunks that are missing."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latelier.cli.options.adapters import read_adapters
from latelier.contracts.errors import InvalidInputError
from latelier.evaluation.run.recording import Track
from latelier.kernel.atelier import Atelier
from latelier.pipeline.storage.sources import find

from latelier_ray.batch.chunks import Chunk, count_rows, divide
from latelier_ray.batch.drawing import DrawingSettings, DrawingWorker
from latelier_ray.batch.folder import BatchFolder, hold_folder
from latelier_ray.batch.model import open_model
from latelier_ray.batch.requests import OPTIONS, RequestReader
from latelier_ray.batch.table import find_files, read_rows
from latelier_ray.batch.validation import TableFacts, check_table
from latelier_ray.cluster import connect
from latelier_ray.machine import Home, list_versions
from latelier_ray.sizing import check_device, local_cpus, size_workers
from latelier_ray.workers import WorkerPool

AHEAD = 2
"""Chunks that a worker has at a time."""

SUFFIXES = {"webdataset": ".tar", "parquet": ".parquet"}
"""Format of the shards -> suffix of their files."""


@dataclass(frozen=True)
class Batch:
    """What is drawn, and into which folder: all that determines the pictures.

    Attributes:
        table: a file of rows, a folder or a glob pattern.
        out: folder of the shards.
        drawing: the model, and how it is run.
        settings: of all rows, by their names in a request.
        format: of the shards, one of `SUFFIXES`.
        shard: rows of a chunk, whose pictures are a file.
    """

    table: str
    out: Path
    drawing: DrawingSettings
    settings: Mapping[str, Any] = field(default_factory=dict)
    format: str = "webdataset"
    shard: int = 256


@dataclass(frozen=True)
class Resources:
    """What computes a batch. It does not change the pictures.

    Attributes:
        address: of the cluster, see `connect`.
        workers: how many there are; None: one for each device.
        track: shows the progress of pictures.
        atelier: has the components.
    """

    address: str
    workers: int | None
    track: Track
    atelier: Atelier


@dataclass(frozen=True)
class Outcome:
    """What a batch has.

    Attributes:
        rows: of the table.
        failed: rows without a picture.
    """

    rows: int
    failed: int


def run_batch(batch: Batch, resources: Resources, *, retry_errors: bool = False) -> Outcome:
    """Draw the rows of a table that have no picture yet, and store each exactly once.

    A batch that was interrupted or killed goes on with what its folder has.

    Args:
        batch: what is drawn.
        resources: that compute it.
        retry_errors: whether chunks with rows that failed are drawn again.

    Raises:
        InvalidInputError: a row or a setting is invalid, or the folder has another job; nothing was
            started.
        DataError: the table cannot be read.
        ClusterError: there is no cluster, or it has no room for the workers.
        LatelierError: the workers cannot load the model.
        OSError: a file cannot be written.
        KeyboardInterrupt: with a message that says how many pictures are stored.
    """
    check_device(batch.drawing.device)
    _check_settings(batch.settings)
    model = open_model(
        batch.drawing.model,
        read_adapters(batch.drawing.adapters, resources.atelier),
        resources.atelier,
    )
    reader = RequestReader(model.classes, batch.settings, batch.format == "webdataset")
    files = find_files(batch.table)
    table = check_table(files, reader, model)
    facts = list_facts(batch, model.facts, table)
    folder = BatchFolder(batch.out, SUFFIXES[batch.format])
    with hold_folder(folder, facts):
        if retry_errors:
            for number in folder.failed():
                folder.shard(number).unlink(missing_ok=True)
        finished = folder.finished()
        chunks = divide(map(reader.read, read_rows(files)), batch.shard)
        missing = (chunk for chunk in chunks if chunk.number not in finished)
        done = sum(count_rows(number, batch.shard, table.count) for number in finished)
        if done < table.count:
            manifest = facts["model"]["manifest_sha256"]
            _draw(batch, folder, manifest, missing, resources, done, table.count)
        return Outcome(table.count, sum(folder.failed().values()))


def list_facts(batch: Batch, model: Mapping[str, Any], table: TableFacts) -> dict[str, Any]:
    """Return what determines the pictures of a batch, as JSON values: its manifest."""
    return {
        "job": 1,
        "model": dict(model),
        "settings": dict(batch.settings),
        "engine": {
            "rows": batch.drawing.rows,
            "threads": batch.drawing.threads,
            "precision": batch.drawing.dtype,
        },
        "format": batch.format,
        "shard": batch.shard,
        "input": {"rows": table.count, "sha256": table.sha256},
        "versions": list_versions(),
    }


def _draw(
    batch: Batch,
    folder: BatchFolder,
    manifest: str,
    chunks: Iterator[Chunk],
    resources: Resources,
    done: int,
    total: int,
) -> None:
    """Draw chunks with workers."""
    threads, device = batch.drawing.threads, batch.drawing.device
    cpus = local_cpus(resources.workers, threads, _count_bytes(batch.drawing.model))
    try:
        with connect(resources.address, cpus) as cluster:
            size = size_workers(cluster, resources.workers, threads, device)
            arguments = (batch.drawing, folder, manifest, Home.here())
            pool = WorkerPool[Chunk](size, DrawingWorker, *arguments, ahead=AHEAD)
            with closing(pool.compute(chunks)) as reports:
                rows = (each.rows for each in reports)
                for count in resources.track(rows, "pictures", done, total):
                    done += count
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{done:,} of {total:,} pictures are stored; the same command goes on with them"
        ) from None


def _check_settings(settings: Mapping[str, Any]) -> None:
    unknown = sorted(set(settings) - (OPTIONS - {"seed"}))
    if unknown:
        raise InvalidInputError(
            f"--set: '{unknown[0]}' is no setting of all rows: {', '.join(sorted(OPTIONS))}"
        )


def _count_bytes(model: str) -> int:
    return sum(each.stat().st_size for each in find(model).folder.rglob("*") if each.is_file())
