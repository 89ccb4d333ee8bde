"""How many replicas a model has. Ray Serve imports this in its controller, so without torch."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from latelier.contracts.frozen import Frozen
from latelier_server.settings import Settings
from pydantic import Field, model_validator

PICTURES_METRIC = "pictures"
"""What a replica counts for Ray Serve: pictures of its runs that have not ended."""

ROWS_PER_PICTURE = 2
"""Rows of a call of the denoiser that a picture under guidance has."""

EXTRA_CALLS = 64
"""Calls besides runs that a replica takes at the same time: reports, forms, previews."""


class ReplicaOptions(Frozen):
    """The replicas of each model, and what each of them takes of the cluster."""

    least: int = Field(default=1, ge=0, description="replicas of an idle model")
    most: int = Field(default=1, ge=1, description="replicas of a busy model")
    cpus: float = Field(default=1, gt=0, description="CPUs of a replica, and threads of torch")
    gpus: float = Field(default=0, ge=0, description="GPUs of a replica")
    drain: float = Field(
        default=60, ge=0, description="seconds that the runs of a replica have when it ends"
    )

    @model_validator(mode="after")
    def _check_order(self) -> "ReplicaOptions":
        if self.least > self.most:
            raise ValueError(f"{self.least} replicas at least are more than {self.most} at most")
        return self


def describe_deployment(options: ReplicaOptions, settings: Settings) -> dict[str, Any]:
    """Return the options of the deployment of a model.

    The engine of a replica queues and batches, so Ray Serve hands all on at once, up to what the
    engine takes; the engine itself refuses what is above it, and says when there should be room.
    """
    described: dict[str, Any] = {
        "ray_actor_options": {"num_cpus": options.cpus, "num_gpus": options.gpus},
        "max_ongoing_requests": settings.active + settings.queue + EXTRA_CALLS,
        "max_queued_requests": settings.queue,
        "graceful_shutdown_timeout_s": options.drain,
        "max_constructor_retry_count": 1,
    }
    if options.least == options.most:
        return {**described, "num_replicas": options.most}
    policy = {
        "policy_function": "latelier_ray.serving.scaling:PicturesPolicy",
        "policy_kwargs": {"pictures": max(1, settings.rows // ROWS_PER_PICTURE // 2)},
    }
    scaling = {
        "min_replicas": options.least,
        "max_replicas": options.most,
        "upscale_delay_s": 5,
        "downscale_delay_s": 120,
        "policy": policy,
    }
    return {**described, "autoscaling_config": scaling}


class PicturesPolicy:
    """As many replicas as fill half of their calls with the pictures that wait or run.

    With full calls too many requests are late: docs/scale.md has the figures of a simulation.

    Args:
        pictures: of a replica.
    """

    def __init__(self, pictures: int) -> None:
        self._pictures = pictures

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Return the number of replicas; Ray Serve applies the bounds and the delays.

        Args:
            context: `ray.serve.config.AutoscalingContext`.
        """
        found: Mapping[Any, float] = context.aggregated_metrics.get(PICTURES_METRIC, {})
        unfinished = sum(found.values()) + (context.total_queued_requests or 0)
        return ceil(unfinished / self._pictures), {}
