"""How many replicas there are, and what Ray Serve is told of them."""

from types import SimpleNamespace

import pytest
from latelier_server import Settings
from pydantic import ValidationError
from ray import serve

from latelier_ray.serving.replica import EngineReplica
from latelier_ray.serving.scaling import PicturesPolicy, ReplicaOptions, describe_deployment


def wanted(pictures, *, queued=None, fill=16):
    context = SimpleNamespace(
        aggregated_metrics={"pictures": dict(enumerate(pictures))} if pictures else {},
        total_queued_requests=queued,
    )
    return PicturesPolicy(fill)(context)[0]


def test_there_are_as_many_replicas_as_fill_their_calls():
    assert wanted([]) == 0
    assert wanted([1.0]) == 1
    assert wanted([16.0, 0.0]) == 1
    assert wanted([16.0, 1.0]) == 2
    assert wanted([0.0], queued=40.0) == 3


def test_ray_serve_takes_the_options():
    fixed = describe_deployment(ReplicaOptions(least=2, most=2), Settings())
    assert serve.deployment(**fixed)(EngineReplica).num_replicas == 2
    settings = Settings(rows=8, active=3, queue=5)
    scaled = describe_deployment(ReplicaOptions(least=0, most=4, cpus=2, gpus=1), settings)
    deployment = serve.deployment(**scaled)(EngineReplica)
    assert deployment.max_ongoing_requests > 3 + 5
    assert deployment.max_queued_requests == 5
    assert deployment.ray_actor_options == {"num_cpus": 2, "num_gpus": 1}
    assert scaled["autoscaling_config"]["policy"]["policy_kwargs"] == {"pictures": 2}


def test_least_is_not_above_most():
    with pytest.raises(ValidationError, match="3 replicas at least"):
        ReplicaOptions(least=3, most=2)
