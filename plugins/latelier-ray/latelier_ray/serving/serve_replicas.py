"""Replicas that are a deployment of Ray Serve."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from latelier.contracts.errors import EngineError, QueueFullError
from PIL.Image import Image
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    ReplicaUnavailableError,
)
from ray.serve.handle import DeploymentHandle, DeploymentResponseGenerator

from latelier_ray.serving.messages import Computed, Message, Order, Report
from latelier_ray.serving.replicas import ReplicaLostError

ANSWER_SECONDS = 5.0
"""Seconds in which a replica has to answer what all of them are asked."""

FULL_SECONDS = 5.0
"""Seconds after which a client should come back that found all replicas full or starting."""


class ServeReplicas:
    """Replicas behind a handle; see `latelier_ray.serving.replicas.Replicas`.

    Ray Serve picks the less loaded of two, and sends what a replica has not begun to another if it
    dies.

    Args:
        handle: of the deployment.
        end: deletes it.
    """

    def __init__(self, handle: DeploymentHandle[Any], end: Callable[[], None]) -> None:
        self._handle = handle
        self._stream = handle.options(stream=True)
        self._end = end

    async def run(self, order: Order) -> AsyncGenerator[Message, None]:
        """Yield the messages of a replica. Closing it cancels the order."""
        with _translate_errors():
            messages = self._stream.run.remote(order)
            assert isinstance(messages, DeploymentResponseGenerator)
            try:
                async for message in messages:
                    yield message
            finally:
                messages.cancel()

    async def report(self, front: str) -> list[Report]:
        """Return a report of each replica that answers."""
        return await self._ask_all("report", front)

    async def preview(self, run: str) -> Image | None:
        """Return the preview of a run from the replica that has it; None if none has."""
        return next(
            (each for each in await self._ask_all("preview", run) if each is not None), None
        )

    async def compute(
        self,
        function: Callable[..., Any],
        values: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> Computed:
        """Return the result of a function that any of them calls."""
        with _translate_errors():
            computed: Computed = await self._handle.compute.remote(function, values, options)
            return computed

    def close(self) -> None:
        """Delete the deployment."""
        self._end()

    async def _ask_all(self, method: str, argument: str) -> list[Any]:
        """Return the answers of the replicas that give one."""
        with _translate_errors():
            asked = self._handle.broadcast(method, argument)
            answers = await asked.results_async(timeout_s=ANSWER_SECONDS, return_exceptions=True)
        return [each for each in answers if not isinstance(each, BaseException)]


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise what `Replicas` names in place of the errors of Ray."""
    try:
        yield
    except BackPressureError as error:
        raise QueueFullError(str(error), retry_after=FULL_SECONDS) from error
    except (ReplicaUnavailableError, TimeoutError) as error:
        raise ReplicaLostError(str(error)) from error
    except (DeploymentUnavailableError, RayTaskError) as error:
        raise EngineError("the replicas of the model cannot be reached") from error
    except RayError as error:
        raise ReplicaLostError(str(error)) from error
