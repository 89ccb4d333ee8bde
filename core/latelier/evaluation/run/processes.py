"""Computes chunks in this process or in several, which share nothing but the folder of the run."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

from latelier.contracts.errors import EvaluationError, LatelierError
from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.evaluation.run.chunks import compute_chunk
from latelier.evaluation.run.evaluation import Evaluation, prepare_evaluation
from latelier.evaluation.run.folder import store
from latelier.evaluation.run.threads import use_threads
from latelier.kernel.default import default_atelier

Prepare = Callable[[int], Evaluation]
"""Returns the evaluation in the process of a number; it is a function that can be pickled."""

Compute = Callable[[Evaluation, Path, Sequence[int], str], Generator[int]]
"""Computes and stores chunks as `compute_here` does, wherever; yields the number of each."""


def compute_in(processes: int) -> Compute:
    """Return what computes chunks in so many processes."""
    if processes == 1:
        return compute_here

    def compute(
        evaluation: Evaluation, folder: Path, numbers: Sequence[int], identity: str
    ) -> Generator[int]:
        prepare = partial(prepare_in_process, evaluation.config)
        return compute_in_processes(prepare, folder, numbers, identity, processes)

    return compute


def prepare_in_process(config: EvaluationConfig, place: int) -> Evaluation:
    """Return the evaluation in one of several processes, which share out the GPUs."""
    if torch.cuda.is_available() and config.device in ("auto", "cuda"):
        device = f"cuda:{place % torch.cuda.device_count()}"
        config = config.model_copy(update={"device": device})
    return prepare_evaluation(config, default_atelier())


def compute_here(
    evaluation: Evaluation, folder: Path, numbers: Sequence[int], identity: str
) -> Generator[int]:
    """Compute and store chunks in this process; yield the number of each.

    Args:
        evaluation: whose chunks they are.
        folder: of the run.
        numbers: of the chunks.
        identity: of the evaluation, which takes long to find: all pictures are read for it.

    Raises:
        LatelierError: see `compute_chunk`.
        OSError: a chunk cannot be written.
    """
    for number in numbers:
        with use_threads(evaluation.config.threads):
            store(folder, compute_chunk(evaluation, number), identity)
        yield number


def compute_in_processes(
    prepare: Prepare, folder: Path, numbers: Sequence[int], identity: str, processes: int
) -> Generator[int]:
    """Compute and store chunks in processes of their own; yield the number of each.

    They end with this process, however it ends.

    Args:
        prepare: makes the evaluation in each process.
        folder: of the run.
        numbers: of the chunks; process j takes every `processes`-th from the j-th.
        identity: see `compute_here`.
        processes: how many are started.

    Raises:
        LatelierError: see `compute_chunk`.
        OSError: a chunk cannot be written.
        EvaluationError: a process was killed.
    """
    context = multiprocessing.get_context("spawn")
    started: dict[Connection, Any] = {}
    try:
        for j in range(min(processes, len(numbers))):
            ours, theirs = context.Pipe(duplex=False)
            arguments = (prepare, j, folder, numbers[j::processes], identity, theirs)
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            theirs.close()  # so that its end is noticed
            started[ours] = process
        yield from _receive(started)
    finally:
        for process in started.values():
            process.kill()
        for process in started.values():
            process.join()


def _receive(started: dict[Connection, Any]) -> Iterator[int]:
    """Yield what processes report, until all have ended."""
    running = dict(started)
    while running:
        for connection in wait(list(running)):
            assert isinstance(connection, Connection)
            try:
                report = connection.recv()
            except EOFError:
                process = running.pop(connection)
                process.join()
                if process.exitcode:
                    raise EvaluationError(_explain(process.exitcode)) from None
                continue
            if isinstance(report, BaseException):
                raise report
            yield report


def _work(
    prepare: Prepare,
    place: int,
    folder: Path,
    numbers: Sequence[int],
    identity: str,
    reports: Connection,
) -> None:
    """Compute chunks in a process that was started for it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    try:
        for number in compute_here(prepare(place), folder, numbers, identity):
            reports.send(number)
    except (LatelierError, OSError, MemoryError, RuntimeError) as error:
        error.add_note(traceback.format_exc())
        reports.send(error)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _explain(exit_code: int) -> str:
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        reason = f"was killed by {name}" + (
            ", as a system does whose memory is exhausted" if name == "SIGKILL" else ""
        )
    else:
        reason = f"ended with status {exit_code}; its error is above"
    return f"a process {reason}. Start the same command again: it goes on with the stored chunks"
