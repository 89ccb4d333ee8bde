"""The jobs of an engine: those that wait, those that run in a thread each, and how they end."""

import threading
from collections import Counter
from collections.abc import Callable

from latelier.contracts.errors import EngineError, QueueFullError
from latelier.engine.admission import AdmissionQueue
from latelier.engine.forecast import RoomForecast
from latelier.engine.job import Job
from latelier.engine.stats import JobCounts, name_of_end
from latelier.pipeline.picture import Picture

MakePictures = Callable[[], list[Picture]]
"""What a job does in its thread."""


class JobPool:
    """Starts jobs in the order of a queue, at most `active` at a time.

    Every job that it accepts ends, with pictures or an error.

    Args:
        active: most jobs that run.
        capacity: most jobs that wait.
    """

    def __init__(self, active: int, capacity: int) -> None:
        self._active = active
        self._capacity = capacity
        self._queue = AdmissionQueue[Job]()
        self._forecast = RoomForecast()
        self._work: dict[Job, MakePictures] = {}
        self._running: set[Job] = set()
        self._threads: set[threading.Thread] = set()
        self._counts: Counter[str] = Counter()
        self._is_open = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Accept jobs from now on."""
        with self._lock:
            self._is_open = True

    def close(self) -> None:
        """Accept no more jobs. Those that are here go on."""
        with self._lock:
            self._is_open = False

    def add(self, job: Job, work: MakePictures) -> None:
        """Accept a job.

        Raises:
            EngineError: the pool is not open.
            QueueFullError: the queue is full.
        """
        with self._lock:
            self._check_room()
            self._counts["submitted"] += 1
            self._work[job] = work
            self._queue.put(job)
            self._start_jobs()

    def check_room(self) -> None:
        """Check that a job would be accepted now.

        Raises:
            EngineError: the pool is not open.
            QueueFullError: the queue is full.
        """
        with self._lock:
            self._check_room()

    def place_of(self, job: Job) -> int | None:
        """Return how many waiting jobs start before this one; None if it does not wait."""
        with self._lock:
            return next((place for place, each in enumerate(self._queue) if each is job), None)

    def end_stopped(self) -> None:
        """End the waiting jobs that were cancelled or have missed their deadline."""
        with self._lock:
            for job in list(self._queue):
                reason = job.stop_reason()
                if reason is not None:
                    self._queue.remove(job)
                    del self._work[job]
                    self._end(job, reason)

    def cancel_all(self) -> None:
        """Cancel all jobs."""
        with self._lock:
            jobs = [*self._queue, *self._running]
        for job in jobs:
            job.cancel()

    def join(self) -> None:
        """Wait until all jobs have ended, and their threads."""
        while thread := self._some_thread():
            thread.join()

    def counts(self) -> JobCounts:
        """Return the numbers of jobs at this moment."""
        with self._lock:
            return JobCounts(**self._counts, queued=len(self._queue), running=len(self._running))

    def check_open(self) -> None:
        """Check that the pool accepts jobs.

        Raises:
            EngineError: it does not.
        """
        if not self._is_open:
            raise EngineError("the engine is not running: use it inside `with Engine(...)`")

    def _check_room(self) -> None:
        self.check_open()
        waiting = len(self._queue)
        if waiting >= self._capacity:
            self._counts["refused"] += 1
            raise QueueFullError(
                f"the queue of the engine is full: {waiting} jobs wait. Submit the job again "
                "later, or make the engine with a larger `queue`",
                retry_after=self._forecast.seconds_until_room(waiting),
            )

    def _start_jobs(self) -> None:
        """Start waiting jobs while there is room. The lock is held."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        while len(self._queue) and len(self._running) < self._active:
            job = self._queue.pop()
            thread = threading.Thread(
                target=self._run, args=(job, self._work.pop(job)), name="latelier-run", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:  # the system has no more threads
                self._end(job, EngineError(f"the job could not be started: {error}"))
                continue
            self._running.add(job)
            self._forecast.begin()
            self._threads.add(thread)

    def _run(self, job: Job, work: MakePictures) -> None:
        try:
            outcome: list[Picture] | BaseException = work()
        except BaseException as error:  # also SystemExit of a plugin: it ends the job
            outcome = error
        with self._lock:
            self._running.remove(job)
            self._forecast.end()
            self._end(job, outcome)
            self._start_jobs()

    def _end(self, job: Job, outcome: list[Picture] | BaseException) -> None:
        """End a job, and count how it ended. The lock is held."""
        self._counts[name_of_end(outcome)] += 1
        job.end(outcome)

    def _some_thread(self) -> threading.Thread | None:
        with self._lock:
            return next((thread for thread in self._threads if thread.is_alive()), None)
