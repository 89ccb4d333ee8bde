"""How a server reaches the replicas of a model."""

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Protocol

from PIL.Image import Image

from latelier_ray.serving.messages import Computed, Message, Order, Report


class ReplicaLostError(Exception):
    """The replica that had an order or a call has died, or cannot be reached."""


class Replicas(Protocol):
    """The replicas of a model. `EngineReplica` says what each method does on one of them."""

    def run(self, order: Order) -> AsyncGenerator[Message, None]:
        """Yield the messages of a replica, once there is one. Closing it cancels the order.

        Raises:
            ReplicaLostError: it has died; the order may go to another.
            QueueFullError: too many orders wait for a replica.
        """
        ...

    async def report(self, front: str) -> list[Report]:
        """Return a report of each replica that answers."""
        ...

    async def preview(self, run: str) -> Image | None:
        """Return the preview of a run from the replica that has it; None if none has."""
        ...

    async def compute(
        self,
        function: Callable[..., Any],
        values: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> Computed:
        """Return the result of a function that any of them calls.

        Raises:
            ReplicaLostError: it has died.
        """
        ...

    def close(self) -> None:
        """End all of them. It may take long."""
        ...
