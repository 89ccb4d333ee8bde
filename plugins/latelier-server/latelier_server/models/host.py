"""What the server needs of a model, wherever it runs: in this process, or in replicas elsewhere.

`LoadedModel` in model.py is the one of this process. A plugin can bring another: it passes
`create_app` a function that returns a `ModelHost`.
"""

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from latelier.engine.stats import Stats
from latelier.pipeline import Pipeline
from latelier.pipeline.picture import Picture
from latelier.pipeline.plan import Plan
from PIL.Image import Image

from latelier_server.models.summary import ModelSummary
from latelier_server.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class RunCost:
    """What a planned run takes, and what its request is warned of.

    Attributes:
        steps: that the request has.
        pictures: of all rows.
        picture_steps: steps that run, of all pictures together.
        warnings: human-readable sentences, with the input or field in front: "prompt: ...".
    """

    steps: int
    pictures: int
    picture_steps: int
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_plan(cls, plan: Plan) -> "RunCost":
        """Return the cost of a plan."""
        steps = plan.count * plan.sigmas.steps
        return cls(plan.request.steps, plan.count, steps, plan.warnings)


Admit = Callable[[RunCost], None]
"""What refuses a run by its cost: it raises."""


class RunPreview(Protocol):
    """The state of a run after a step; `latelier.pipeline.picture.Preview` is one."""

    @property
    def step(self) -> int:
        """Of `steps`, counted from 1."""
        ...

    @property
    def steps(self) -> int:
        """Of the batch."""
        ...

    @property
    def batch(self) -> int:
        """Of `batches`, counted from 1."""
        ...

    @property
    def batches(self) -> int:
        """Of the run."""
        ...

    @property
    def image(self) -> Image:
        """The estimate of the first picture. It may take long, so ask for it in a thread.

        Raises:
            EngineError: the run has ended meanwhile.
        """
        ...


class Run(Protocol):
    """A request that a model has accepted; `latelier.engine.Job` is one.

    Iterating yields a `RunPreview` after each step, but for a slow reader. Awaiting it returns the
    pictures, or raises the error that it ended with.
    """

    @property
    def position(self) -> int | None:
        """How many waiting runs start before this one; None if it has started or ended."""
        ...

    def cancel(self) -> None:
        """Stop before the next step. A run that has ended stays as it is."""
        ...

    def __aiter__(self) -> AsyncIterator[RunPreview]:
        """Yield previews until the run ends."""
        ...

    def __await__(self) -> Generator[Any, None, list[Picture]]:
        """Wait for the pictures. Cancelling the task that waits does not cancel the run."""
        ...


class ModelHost(Protocol):
    """A model that takes requests."""

    @property
    def name(self) -> str:
        """Under which clients ask for it."""
        ...

    @property
    def size(self) -> int:
        """Bytes of its weights in the memory of this process."""
        ...

    async def submit(
        self,
        request: Mapping[str, Any],
        *,
        deadline: float,
        client: str,
        adapter_scales: Mapping[str, float],
        admit: Admit,
    ) -> Run:
        """Accept a request; see `latelier.engine.Engine.submit_json`.

        Args:
            request: of a client.
            deadline: seconds from now after which the run ends unfinished.
            client: whose run it is. Clients take turns.
            adapter_scales: scales of adapters for this run alone.
            admit: called with the cost of the run; what it raises refuses the run.

        Raises:
            LatelierError: the request has a mistake, or the queue is full.
        """
        ...

    async def compute(
        self, function: Callable[Concatenate[Pipeline, P], T], *values: P.args, **options: P.kwargs
    ) -> T:
        """Return function(pipeline, ...), which is called where the pipeline is.

        The function is known by its name there, so it is one of a module.
        """
        ...

    def stats(self) -> Stats:
        """Return what the model has done so far, and what it does now."""
        ...

    def close(self) -> None:
        """Free its memory, after its jobs. It may take long."""
        ...


LoadModel = Callable[[ModelSummary, Settings], ModelHost]
"""What loads a model, in a thread."""
