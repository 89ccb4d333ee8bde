"""The engine: takes the requests of many clients and runs them together on one device.

The path of a request:
    Engine.submit    plans it in the caller's thread, where mistakes raise -> `Job`
    AdmissionQueue   admission.py: the job waits for its client's turn
    run_job          running.py: runs the plan in a thread of its own, with
    SharedDenoiser   shared_parts.py: a stand-in, as for the first stage; it hands its calls to
    SharedModel      shared_model.py: makes work of them, and says what can be done together
    Batcher          batcher.py: the work waits for other work to be done with it
    Rendezvous       rendezvous.py: says what is done together, and for whom the device waits
    serve            device.py: the device's thread takes a group and does it
"""

import math
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Self

from latelier.contracts.errors import EngineError, InvalidInputError
from latelier.diffusion.fixed_rows import MAX_ROWS
from latelier.engine.batcher import Batcher
from latelier.engine.device import serve
from latelier.engine.job import Job
from latelier.engine.openmp import release_team
from latelier.engine.pool import JobPool
from latelier.engine.rendezvous import Rendezvous
from latelier.engine.row_limit import RowLimit
from latelier.engine.running import run_job
from latelier.engine.shared_model import SharedModel
from latelier.engine.stats import Stats
from latelier.engine.warming import (
    default_geometry,
    doublings,
    make_call,
    measure_rows,
    positions_at_once,
)
from latelier.engine.work import alone
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.picture import Picture
from latelier.pipeline.pipeline import Pipeline, plan_json, plan_keywords
from latelier.pipeline.plan import Plan

_OPTIONS = frozenset({"deadline", "priority", "client"})
"""What `submit` takes besides the keywords of `generate`."""


class Engine:
    """Serves many requests from one pipeline, in shared calls of its denoiser.

        with Engine(pipe) as engine:
            jobs = [engine.submit(prompt=prompt) for prompt in prompts]
            pictures = [picture for job in jobs for picture in job.result()]

    Leaving the block waits for all jobs. Leaving it by an exception cancels them.

    Args:
        pipe: the pipeline.
        rows: most rows of a shared call of the denoiser. A picture under guidance has two.
        active: most jobs that run at the same time, in a thread each.
        queue: most jobs that wait.
        exact: whether to fill every call to exactly `rows` rows. The pictures of a request then
            have the same bits whatever runs beside it.

    Raises:
        InvalidInputError: a number is out of range, or an input of the pipeline has the name of an
            option of `submit`.
        CompatibilityError: the weights of the pipeline are offloaded.
    """

    def __init__(
        self,
        pipe: Pipeline,
        *,
        rows: int = 32,
        active: int = 16,
        queue: int = 256,
        exact: bool = False,
    ) -> None:
        _check_counts(rows=rows, active=active, queue=queue)
        _check_input_names(pipe)
        pipe.check_on_device()
        self._pipe = pipe
        self._limit = RowLimit(rows, positions_at_once(pipe, rows if exact else None))
        self._batcher = Batcher(Rendezvous())
        self._model = SharedModel(pipe, self._batcher, self._limit, rows if exact else None)
        self._thread = threading.Thread(
            target=partial(serve, self._batcher), name="latelier-device", daemon=True
        )
        self._pool = JobPool(active, queue)

    def __enter__(self) -> Self:
        """Start the engine, which starts once."""
        if self._thread.ident is not None:
            raise EngineError("an engine starts once; make another one")
        release_team()  # of the thread that may have loaded the model
        self._thread.start()
        self._pool.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for all jobs, or cancel them if there is an exception; end all threads."""
        self._pool.close()
        try:
            if error is not None:
                self._pool.cancel_all()
            self._pool.join()
        finally:  # also if waiting was interrupted
            self._pool.cancel_all()
            self._batcher.close("the engine is closed")
            self._pool.join()
            self._thread.join()

    def submit(
        self,
        /,
        *,
        deadline: float | None = None,
        priority: int = 0,
        client: str = "",
        **keywords: Any,
    ) -> Job:
        """Queue a request with the keywords of `Pipeline.generate`.

        Mistakes raise here, before the job is queued, except those that only the encoded inputs
        show, which end the job.

        Args:
            deadline: seconds from now after which the job ends unfinished; None for no limit.
            priority: jobs with a higher one start first.
            client: whose job it is. Clients take turns, whatever the number of their jobs.
            **keywords: of `generate`.

        Raises:
            EngineError: the engine is not running.
            QueueFullError: too many jobs wait.
            UnknownNameError: a component is not registered, or a keyword is unknown.
            InvalidInputError: a value is invalid.
        """
        job = self._new_job(deadline, priority, client)
        return self._queue(job, *plan_keywords(self._pipe, keywords))

    def submit_json(
        self,
        request: Mapping[str, Any],
        /,
        *,
        deadline: float | None = None,
        priority: int = 0,
        client: str = "",
        adapter_scales: Mapping[str, float] | None = None,
        admit: Callable[[Plan], None] = lambda _plan: None,
    ) -> Job:
        """Queue an untrusted JSON request; see `Pipeline.stream_json` and `submit`.

        Args:
            request: of a client.
            deadline: as for `submit`.
            priority: as for `submit`.
            client: as for `submit`.
            adapter_scales: scales of adapters for this job alone.
            admit: called with the plan before the job is queued; what it raises refuses the job.
        """
        job = self._new_job(deadline, priority, client)
        scales = adapter_scales or {}
        _check_shared_weights(self._pipe, scales)
        pipe = self._pipe.with_adapter_scales(scales)
        parts, plan = plan_json(pipe, request)
        admit(plan)
        return self._queue(job, parts, plan)

    def stats(self) -> Stats:
        """Return what the engine has done so far, and what it does now."""
        latent_size = default_geometry(self._pipe).latent_size
        return Stats(
            self._pool.counts(),
            self._model.calls.counts,
            self._limit.of(*latent_size),
            self._limit.curve,
        )

    def warm(self) -> Mapping[int, float]:
        """Measure seconds a row of calls with 1, 2, 4 ... rows of the default size, and keep them.

        Shared calls then have no more rows than pay: the fewest that are within 3 % of the fastest,
        and at other sizes as many latent positions. In an exact engine rows are fixed, and
        this only makes the first call. Measure before the first job.

        Raises:
            EngineError: the engine is not running.
            OutOfMemoryError: memory is too small for one row.
        """
        self._pool.check_open()
        counts = [self._model.rows] if self._model.rows else doublings(self._limit.most)
        parts, geometry = self._pipe.without_unused_adapters(()), default_geometry(self._pipe)
        make = partial(make_call, parts, geometry)
        measure = partial(measure_rows, self._pipe.denoiser, make, counts)
        curve = self._batcher.compute(alone(measure))
        self._limit.set_curve(curve, math.prod(geometry.latent_size))
        return self._limit.curve

    def _new_job(self, deadline: float | None, priority: int, client: str) -> Job:
        """Return a job, if there is room for one."""
        _check_options(deadline, priority, client)
        self._pool.check_room()
        return Job(self._pool, client=client, priority=priority, deadline=deadline)

    def _queue(self, job: Job, parts: PipelineParts, plan: Plan) -> Job:
        """Check the inputs of a plan, and queue its job in the context of the caller."""
        builder = parts.condition_builder()
        for rows in (plan.inputs, plan.negative):
            builder.check_prepare(rows, plan.geometry)
        release_team()  # of the caller, which may have computed before
        make_pictures = partial(self._make_pictures, job, parts, plan)
        self._pool.add(job, partial(copy_context().run, make_pictures))
        return job

    def _make_pictures(self, job: Job, parts: PipelineParts, plan: Plan) -> list[Picture]:
        pictures: list[Picture] = []
        for preview in run_job(job, parts, plan, self._model):
            job.publish(preview)
            pictures.extend(preview.pictures)
            self._pool.end_stopped()
        return pictures


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        most = MAX_ROWS if name == "rows" else None
        is_valid = isinstance(count, int) and not isinstance(count, bool) and count >= 1
        if not is_valid or (most is not None and count > most):
            expected = f"1 to {most}" if most else "1 or more"
            raise InvalidInputError.of_field(name, f"expected {expected}, got {count!r}")


def _check_input_names(pipe: Pipeline) -> None:
    taken = sorted(_OPTIONS & set(pipe.inputs))
    if taken:
        raise InvalidInputError(
            f"the pipeline has an input '{taken[0]}', which is an option of Engine.submit; compose "
            "it with another name for the input"
        )


def _check_shared_weights(pipe: Pipeline, scales: Mapping[str, float]) -> None:
    """Refuse other scales of adapters that change weights, which all jobs share."""
    changed = [name for name in scales if name in pipe.weight_adapters()]
    if changed:
        raise InvalidInputError(
            f"the adapter '{changed[0]}' changes weights, which all jobs share; make an engine of "
            "a view with another scale"
        )


def _check_options(deadline: float | None, priority: int, client: str) -> None:
    if deadline is not None and not (isinstance(deadline, int | float) and 0 < deadline < math.inf):
        raise InvalidInputError.of_field(
            "deadline", f"expected seconds from now, above 0, got {deadline!r}"
        )
    if not isinstance(priority, int):
        raise InvalidInputError.of_field("priority", f"expected a whole number, got {priority!r}")
    if not isinstance(client, str):
        raise InvalidInputError.of_field("client", f"expected a text, got {client!r}")
