"""What the server and the replicas send each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latelier.engine import Stats
from latelier.pipeline.picture import Picture
from latelier_server.models.host import RunCost


@dataclass(frozen=True)
class Order:
    """A request to a replica.

    Attributes:
        id: of the run, the same on each replica that gets it.
        front: the server that it comes from.
        request: as `Pipeline.stream_json` takes it. It has its seed, so that each replica makes the
            same pictures.
        deadline: seconds from now after which the run ends unfinished.
        client: whose run it is.
        adapter_scales: scales of adapters for this run alone.
    """

    id: str
    front: str
    request: Mapping[str, Any]
    deadline: float
    client: str
    adapter_scales: Mapping[str, float]


@dataclass(frozen=True)
class Accepted:
    """The replica has planned and queued the run: its first message.

    Attributes:
        cost: of the run.
    """

    cost: RunCost


@dataclass(frozen=True)
class Finished:
    """The run has ended with pictures: its last message."""

    pictures: list[Picture]


@dataclass(frozen=True)
class Failed:
    """The run was refused or has ended with an error: its last message."""

    error: Exception


Message = Accepted | Finished | Failed


@dataclass(frozen=True)
class RunProgress:
    """Where a run is.

    Attributes:
        position: how many waiting runs start before it; None if it has started.
        step: of `steps`, counted from 1; 0 before the first.
        steps: of the batch.
        batch: of `batches`, counted from 1.
        batches: of the run.
    """

    position: int | None
    step: int = 0
    steps: int = 0
    batch: int = 1
    batches: int = 1


@dataclass(frozen=True)
class Report:
    """What a replica does now.

    Attributes:
        replica: its id.
        runs: those of the server that asked, by id.
        stats: of its engine.
    """

    replica: str
    runs: Mapping[str, RunProgress]
    stats: Stats


@dataclass(frozen=True)
class Computed:
    """The result of a function that was called on a replica, or its error."""

    value: Any
    error: Exception | None
