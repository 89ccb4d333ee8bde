"""Batches whose workers are in this process: chunks, errors, resuming, and what is refused."""

import errno
import json
import os
from contextlib import contextmanager
from dataclasses import replace

import pytest
from checking import read_shards
from latelier import Atelier
from latelier.contracts.errors import InvalidInputError
from latelier.pipeline.picture import Picture
from PIL import Image
from ray.exceptions import ActorDiedError

from latelier_ray.batch import drawing, run
from latelier_ray.batch.drawing import DrawingSettings
from latelier_ray.batch.run import Batch, Outcome, Resources, run_batch
from latelier_ray.cluster import Cluster
from latelier_ray.errors import ClusterError

ROWS = 10


class Job:
    def __init__(self, outcome):
        self.outcome = outcome

    def result(self):
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return [self.outcome]


class Engine:
    """Draws the colour of the seed. `faults` are errors by seed; each stays until it is removed."""

    faults: dict[int, BaseException] = {}
    drawn: list[int] = []

    def __init__(self, pipe, **_options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        pass

    def warm(self):
        pass

    def submit_json(self, request, priority):
        seed = request["seed"]
        self.drawn.append(seed)
        if seed in self.faults:
            return Job(self.faults[seed])
        return Job(Picture(Image.new("RGB", (4, 4), (seed, 0, 0)), seed, {"seed": seed}))


@pytest.fixture
def batch(cluster, monkeypatch, tmp_path):
    """A batch of ten rows in chunks of three, on two workers of this process."""

    @contextmanager
    def connect(_address, cpus):
        yield Cluster(cpus, 0, is_local=True)

    monkeypatch.setattr(run, "connect", connect)
    monkeypatch.setattr(drawing, "Engine", Engine)
    monkeypatch.setattr(drawing, "_load", lambda _settings: None)
    monkeypatch.setattr(Engine, "faults", {})
    monkeypatch.setattr(Engine, "drawn", [])
    table = tmp_path / "rows.jsonl"
    rows = ({"id": f"r{k}", "prompt": "a cat", "seed": k} for k in range(ROWS))
    table.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    settings = DrawingSettings("emoji-scenes", (), "cpu", "float32", threads=1, rows=2)
    return Batch(str(table), tmp_path / "out", settings, shard=3)


@pytest.fixture(scope="module")
def resources():
    return Resources("local", 2, lambda done, *_: done, Atelier())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_every_row_is_in_the_shard_of_its_chunk(batch, resources, kind):
    assert run_batch(replace(batch, format=kind), resources) == Outcome(ROWS, 0)
    suffix = run.SUFFIXES[kind]
    assert names(batch.out / "shards") == [f"00000{k}{suffix}" for k in range(4)]
    assert [name for name, _ in read_shards(batch.out)] == [f"r{k}" for k in range(ROWS)]
    assert sorted(Engine.drawn) == list(range(ROWS))
    run_batch(replace(batch, format=kind), resources)
    assert len(Engine.drawn) == ROWS  # nothing is left to draw


def test_a_chunk_without_a_shard_is_drawn_again_with_the_same_bytes(batch, resources):
    run_batch(batch, resources)
    shard = batch.out / "shards" / "000001.tar"
    before = shard.read_bytes()
    shard.unlink()
    (batch.out / "shards" / ".0123456789abcdef.part").write_bytes(b"of a killed worker")
    Engine.drawn.clear()

    run_batch(batch, resources)

    assert sorted(Engine.drawn) == [3, 4, 5]
    assert shard.read_bytes() == before
    assert len(names(batch.out / "shards")) == 4


def test_rows_that_fail_are_in_a_table_and_drawn_again_on_request(batch, resources):
    Engine.faults |= {4: InvalidInputError("too dark"), 5: SystemExit(7)}
    assert run_batch(batch, resources) == Outcome(ROWS, 2)
    lines = (batch.out / "errors" / "000001.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": "r4", "reason": "too dark"},
        {"id": "r5", "reason": "7"},
    ]
    assert len(read_shards(batch.out)) == ROWS - 2
    Engine.faults.clear()
    Engine.drawn.clear()
    assert run_batch(batch, resources) == Outcome(ROWS, 2)
    assert not Engine.drawn

    assert run_batch(batch, resources, retry_errors=True) == Outcome(ROWS, 0)

    assert sorted(Engine.drawn) == [3, 4, 5]
    assert not names(batch.out / "errors")
    assert len(read_shards(batch.out)) == ROWS


def test_a_fault_that_no_row_is_to_blame_for_ends_the_batch_which_goes_on(
    batch, resources, monkeypatch
):
    def fail(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Picture, "to_bytes", fail)
        with pytest.raises(OSError, match=r"No space left on device: '.*/00000\d.tar'"):
            run_batch(batch, resources)
    assert not batch.out.exists()  # nothing was stored
    assert run_batch(batch, resources) == Outcome(ROWS, 0)


def test_a_worker_that_dies_is_replaced_and_no_row_is_lost_or_twice(
    batch, resources, monkeypatch, cluster
):
    compute, died = drawing.DrawingWorker.compute, []

    def die_once(self, chunk):
        if chunk.number in (0, 2) and chunk.number not in died:
            died.append(chunk.number)
            raise ActorDiedError
        return compute(self, chunk)

    monkeypatch.setattr(drawing.DrawingWorker, "compute", die_once)
    assert run_batch(batch, resources) == Outcome(ROWS, 0)
    assert sorted(died) == [0, 2]
    assert len(cluster.actors) == 4
    assert [name for name, _ in read_shards(batch.out)] == [f"r{k}" for k in range(ROWS)]


def test_an_interrupt_says_how_many_pictures_are_stored(batch, resources):
    def stop(done, *_):
        yield next(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="3 of 10 pictures are stored; the same command"):
        run_batch(batch, replace(resources, track=stop))
    assert run_batch(batch, resources) == Outcome(ROWS, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shard": 4}, r"with another shard \(3 there, 4 here\)"),
        ({"settings": {"steps": 3}}, r"another settings.steps \(None there, 3 here\)"),
        ({"format": "parquet"}, "with another format"),
    ],
)
def test_the_folder_of_another_job_is_refused(batch, resources, changes, message):
    run_batch(batch, resources)
    with pytest.raises(InvalidInputError, match=message):
        run_batch(replace(batch, **changes), resources)


def test_other_rows_and_other_files_are_refused(batch, resources):
    run_batch(batch, resources)
    with open(batch.table, "a") as table:  # noqa: PTH123
        table.write('{"id": "more", "prompt": "a dog"}\n')
    with pytest.raises(InvalidInputError, match=r"another input.rows \(10 there, 11 here\)"):
        run_batch(batch, resources)
    with pytest.raises(InvalidInputError, match=r"has other files and no job.json"):
        run_batch(replace(batch, out=batch.out.parent), resources)


def test_nothing_is_left_of_a_batch_that_could_not_start(batch, resources, monkeypatch):
    def refuse(*_arguments):
        raise ClusterError("no cluster")

    monkeypatch.setattr(run, "connect", refuse)
    with pytest.raises(ClusterError, match="no cluster"):
        run_batch(batch, resources)
    assert not batch.out.exists()


@pytest.mark.parametrize("name", ["seed", "n", "stps"])
def test_a_setting_that_is_none_of_all_rows_is_refused(batch, resources, name):
    with pytest.raises(InvalidInputError, match=f"--set: '{name}' is no setting of all rows"):
        run_batch(replace(batch, settings={name: 1}), resources)
    assert not batch.out.exists()
