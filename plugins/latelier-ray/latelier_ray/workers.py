"""Workers: actors that compute tasks, and are replaced when they die.

A worker stores the result of a task atomically, and the task alone determines it, so that one that
is computed twice leaves one result. Nothing but workers takes logical CPUs of the cluster, hence
they cannot wait for each other.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from latelier_ray.cluster import Cluster
from latelier_ray.errors import ClusterError

T = TypeVar("T")

START_SECONDS = 600.0
"""How long the first worker may take to start: processes, imports and the weights of a model."""

_MAX_DEATHS = 5
"""Workers that may die at one task, or one after another while they start."""


@dataclass(frozen=True)
class WorkerSize:
    """How many workers there are, and what each takes of a cluster.

    Attributes:
        count: of the workers.
        cpus: logical CPUs of each.
        gpus: GPUs of each.
    """

    count: int
    cpus: int
    gpus: int

    def check(self, cluster: Cluster) -> None:
        """Check that a cluster has room for all.

        Raises:
            ClusterError: it does not; workers would wait for ever.
        """
        for what, needed, has in (
            ("CPUs", self.count * self.cpus, cluster.cpus),
            ("GPUs", self.count * self.gpus, cluster.gpus),
        ):
            if needed > has:
                raise ClusterError(
                    f"--workers: {self.count} workers need {needed} {what}, and the cluster has "
                    f"{has}; start fewer"
                )


class Worker(Protocol):
    """What computes tasks in a process of its own."""

    def compute(self, task: Any, /) -> Any:
        """Compute a task and store its result; return a report."""
        ...


class LatelierWorker:
    """An actor. It is made at once, so that an error of its start is that of a call.

    Args:
        make: makes the worker, such as its class.
        arguments: of `make`.
    """

    def __init__(self, make: Callable[..., Worker], arguments: Sequence[Any]) -> None:
        self._make = make
        self._arguments = arguments
        self._worker: Worker | None = None

    def start(self) -> None:
        """Make the worker: load what it computes with."""
        self._worker = self._make(*self._arguments)

    def compute(self, task: Any) -> Any:
        """Return the report of the worker on a task."""
        assert self._worker is not None
        return self._worker.compute(task)


@dataclass(eq=False)
class _Started(Generic[T]):
    """A worker that was started.

    Attributes:
        actor: the handle of its actor.
        ready: reference to the end of its start; None once it has started.
        running: its tasks, by their references.
    """

    actor: Any
    ready: Any
    running: dict[Any, T] = field(default_factory=dict)


class WorkerPool(Generic[T]):
    """Computes tasks with workers on any machines of a cluster.

    Args:
        size: how many there are.
        make: makes one, such as its class.
        arguments: of `make`.
        ahead: tasks that a worker has at a time; it begins the next while one ends.
    """

    def __init__(
        self, size: WorkerSize, make: Callable[..., Worker], *arguments: Any, ahead: int = 1
    ) -> None:
        import ray

        actor: Any = ray.remote(LatelierWorker)
        self._actor = actor.options(
            num_cpus=size.cpus,
            num_gpus=size.gpus,
            max_concurrency=ahead,
            scheduling_strategy="SPREAD",
        )
        self._arguments = (make, arguments)
        self._count = size.count
        self._ahead = ahead
        self._workers: list[_Started[T]] = []
        self._again: list[T] = []
        self._deaths: dict[T, int] = {}
        self._failed_starts = 0

    def compute(self, tasks: Iterator[T]) -> Generator[Any]:
        """Yield the result of each task as soon as it is there, in any order.

        Raises:
            ClusterError: no worker starts, or workers die again and again.
            Exception: what a worker raises; the others end too.
        """
        import ray

        self._workers = [self._add() for _ in range(self._count)]
        try:
            while self._assign(tasks):
                references = [each for worker in self._workers for each in _references(worker)]
                done, _ = ray.wait(references, num_returns=1, timeout=START_SECONDS)
                if not done and not any(each.running for each in self._workers):
                    raise ClusterError(
                        f"no worker has started within {START_SECONDS:.0f} s: is the cluster busy?"
                    )
                for reference in done:
                    yield from self._receive(reference)
        finally:
            for worker in self._workers:
                ray.kill(worker.actor)

    def _add(self) -> _Started[T]:
        actor = self._actor.remote(*self._arguments)
        return _Started(actor, actor.start.remote())

    def _assign(self, tasks: Iterator[T]) -> bool:
        """Give tasks to workers that have started; return whether something is left to wait for."""
        for _ in range(self._ahead):  # in turns, so that the last tasks are spread
            for worker in self._workers:
                if worker.ready is None and len(worker.running) < self._ahead:
                    task = self._again.pop() if self._again else next(tasks, None)
                    if task is None:
                        break
                    worker.running[worker.actor.compute.remote(task)] = task
        if any(each.running for each in self._workers) or self._again:
            return True
        if all(each.ready is None for each in self._workers):
            return False
        task = next(tasks, None)  # the first ones, while workers start
        if task is not None:
            self._again.append(task)
        return task is not None

    def _receive(self, reference: Any) -> Iterator[Any]:
        import ray
        from ray.exceptions import RayError, RayTaskError

        worker = next(each for each in self._workers if reference in _references(each))
        try:
            result = ray.get(reference)
        except RayTaskError as error:
            error.cause.add_note(str(error))  # the traceback there
            raise error.cause from None
        except RayError as error:
            self._replace(worker, error)
            return
        if reference == worker.ready:
            worker.ready, self._failed_starts = None, 0
            return
        del worker.running[reference]
        yield result

    def _replace(self, worker: _Started[T], error: Exception) -> None:
        """Start another worker for one that died, and let its tasks be computed again.

        Raises:
            ClusterError: that happened too often.
        """
        import ray

        ray.kill(worker.actor)  # also one that is only unreachable
        if worker.ready is not None:
            self._failed_starts += 1
        for task in worker.running.values():
            self._deaths[task] = self._deaths.get(task, 0) + 1
        if max([self._failed_starts, *self._deaths.values()]) > _MAX_DEATHS:
            reason = str(error).strip().partition("\n")[0]
            raise ClusterError(
                f"workers die again and again: {reason} Is the memory too small? The same command "
                "goes on with what is stored"
            ) from error
        self._again += worker.running.values()
        self._workers[self._workers.index(worker)] = self._add()


def _references(worker: _Started[Any]) -> list[Any]:
    return [*([] if worker.ready is None else [worker.ready]), *worker.running]
