"""The server as a deployment of Ray Serve, for a cluster that is described by a file.

`latelier ray serve` needs none of this: its server is the process of the command. Here the proxy of
Ray Serve listens, and one replica of `Front` is the server. It is one, since it knows the jobs.
"""

import os
from typing import Any

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier_server.access.keys import VARIABLE, read_keys
from latelier_server.app import create_app
from latelier_server.models.summary import ModelSummary, find_models
from latelier_server.settings import Settings
from pydantic import Field
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette

from latelier_ray.serving.remote_model import RemoteModel
from latelier_ray.serving.replica import EngineReplica
from latelier_ray.serving.scaling import ReplicaOptions, describe_deployment
from latelier_ray.serving.serve_replicas import ServeReplicas

MAX_REQUESTS = 1024
"""Most requests and streams that the server has open at the same time."""


class FrontArguments(Frozen):
    """The `args` of the application in the file."""

    settings: Settings
    replicas: ReplicaOptions = ReplicaOptions()
    without_key: bool = Field(default=False, description="whether everybody may call")


class Front:
    """The server, which Ray Serve asks for its application.

    Its keys are those of the settings, and of the variable LATELIER_SERVER_KEYS.

    Args:
        arguments: of the application.
        engines: the replicas of each model.

    Raises:
        InvalidInputError: a key is invalid, or there is none.
    """

    def __init__(
        self, arguments: FrontArguments, engines: dict[str, DeploymentHandle[Any]]
    ) -> None:
        keys = (*arguments.settings.keys, *read_keys(None, os.environ))
        if not keys and not arguments.without_key:
            raise InvalidInputError(
                f"other machines reach the server: give keys in {VARIABLE}, or `without_key: true`"
            )
        self._settings = arguments.settings.model_copy(update={"keys": keys})
        self._engines = engines

    def __serve_build_asgi_app__(self) -> Starlette:
        """Return the application of the server."""
        return create_app(self._settings, load=self._load)

    def _load(self, summary: ModelSummary, _settings: Settings) -> RemoteModel:
        """Return a model, whose replicas belong to the application and end with it."""
        replicas = ServeReplicas(self._engines[summary.name], end=lambda: None)
        return RemoteModel(summary.name, replicas)


def build(arguments: FrontArguments) -> Application:
    """Return the application: `import_path: latelier_ray.serving.front:build` in the file."""
    settings = arguments.settings
    described = describe_deployment(arguments.replicas, settings)
    engines = {
        summary.name: serve.deployment(
            name=f"engine-{summary.name.replace('/', '--')}", **described
        )(EngineReplica).bind(summary, settings)
        for summary in find_models(settings.models)
    }
    front = serve.deployment(
        name="front",
        num_replicas=1,
        ray_actor_options={"num_cpus": 1},
        max_ongoing_requests=MAX_REQUESTS,
        graceful_shutdown_timeout_s=arguments.replicas.drain,
    )(serve.ingress()(Front))
    return front.bind(arguments, engines)
