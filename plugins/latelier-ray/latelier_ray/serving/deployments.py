"""Starting and ending the replicas of models on a cluster: an application of Ray Serve for each."""

import logging
import time
from functools import partial

from latelier.contracts.errors import LatelierError
from latelier_server.models.summary import ModelSummary
from latelier_server.settings import Settings
from ray import serve
from ray.serve.schema import ApplicationStatus

from latelier_ray.errors import ClusterError
from latelier_ray.serving.remote_model import RemoteModel
from latelier_ray.serving.replica import EngineReplica
from latelier_ray.serving.scaling import ReplicaOptions, describe_deployment
from latelier_ray.serving.serve_replicas import ServeReplicas

START_SECONDS = 600.0
"""Seconds in which the first replica of a model has to be ready."""

_POLL = 0.2
_FAILED = {ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.UNHEALTHY}


class Deployments:
    """The replicas of the models of a server. A model has its own, which batch its requests.

    Args:
        options: of the replicas of each model.
        name: of the server: applications are called "name-model".
    """

    def __init__(self, options: ReplicaOptions, name: str) -> None:
        self._options = options
        self._name = name
        self._started: dict[str, RemoteModel] = {}
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        serve.start(proxy_location="Disabled")

    def load(self, summary: ModelSummary, settings: Settings) -> RemoteModel:
        """Return a model, whose replicas are started first if they are not there.

        Raises:
            ClusterError: no replica could load the model, or has started in time.
        """
        if summary.name not in self._started:
            self._started[summary.name] = self._start(summary, settings)
        return self._started[summary.name]

    def close(self) -> None:
        """End the replicas of all models."""
        for model in list(self._started.values()):
            model.close()

    def _start(self, summary: ModelSummary, settings: Settings) -> RemoteModel:
        application = f"{self._name}-{summary.name.replace('/', '--')}"
        described = describe_deployment(self._options, settings)
        deployment = serve.deployment(name="engine", **described)(EngineReplica)
        end = partial(self._end, summary.name, application)
        serve.run_many(
            [
                serve.RunTarget(
                    deployment.bind(summary, settings), name=application, route_prefix=None
                )
            ],
            wait_for_applications_running=False,
        )
        try:
            _wait_until_running(application, summary.name)
        except BaseException:
            end()
            raise
        handle = serve.get_deployment_handle("engine", application)
        return RemoteModel(summary.name, ServeReplicas(handle, end))

    def _end(self, model: str, application: str) -> None:
        self._started.pop(model, None)
        serve.delete(application)


def _wait_until_running(application: str, model: str) -> None:
    """Wait until the replicas of an application are ready.

    Raises:
        ClusterError: they cannot load their model, or take too long.
    """
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        found = serve.status().applications.get(application)
        if found is not None and found.status == ApplicationStatus.RUNNING:
            return
        if found is not None and found.status in _FAILED:
            messages = [each.message for each in found.deployments.values()]
            reason = _find_reason("\n".join([*messages, found.message]))
            raise ClusterError(f"the workers cannot load the model '{model}': {reason}")
        time.sleep(_POLL)
    raise ClusterError(
        f"no replica of the model '{model}' has started within {START_SECONDS:g} seconds: the "
        "cluster lacks free CPUs or GPUs for it; see `ray status`"
    )


def _find_reason(message: str) -> str:
    """Return the error in a message of Ray Serve, which has a traceback of the worker."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line for line in lines if _is_error(line)]
    found = (errors or lines or ["unknown"])[-1]
    return found.partition(": ")[2] if found.startswith(LatelierError.__module__) else found


def _is_error(line: str) -> bool:
    """Tell whether a line is the last of a traceback: "package.module.SomeError: text"."""
    name, separator, _ = line.partition(": ")
    return bool(separator) and " " not in name and name.endswith("Error")
