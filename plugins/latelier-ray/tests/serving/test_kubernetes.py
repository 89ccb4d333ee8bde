"""The example for Kubernetes: its syntax, and that Ray Serve and the server take what is in it.

It is not run: that takes a cluster of Kubernetes with the operator.
"""

from pathlib import Path

import pytest
import yaml
from latelier.contracts.errors import InvalidInputError
from ray.serve.schema import ServeDeploySchema

from latelier_ray.serving import front

FILE = Path(__file__).parents[2] / "kubernetes/rayservice.yaml"

CLUSTER_FIELDS = {
    "rayVersion",
    "enableInTreeAutoscaling",
    "headGroupSpec",
    "workerGroupSpecs",
}
"""Of the custom resource, those that the example has."""


@pytest.fixture(scope="module")
def service():
    [found] = yaml.safe_load_all(FILE.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def application(service):
    [found] = ServeDeploySchema(**yaml.safe_load(service["spec"]["serveConfigV2"])).applications
    return found


def test_it_is_a_service_of_the_operator(service):
    assert (service["apiVersion"], service["kind"]) == ("ray.io/v1", "RayService")
    assert set(service["spec"]) == {"serveConfigV2", "rayClusterConfig"}
    cluster = service["spec"]["rayClusterConfig"]
    assert set(cluster) == CLUSTER_FIELDS
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        [container] = group["template"]["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert container["env"][0]["name"] == "LATELIER_SERVER_KEYS"


def test_the_application_is_built_of_its_arguments(application):
    module, _, function = application.import_path.partition(":")
    assert (module, getattr(front, function)) == (front.__name__, front.build)
    arguments = front.FrontArguments.model_validate(application.args)
    assert front.build(arguments)._bound_deployment.name == "front"


def test_each_replica_fits_on_a_worker(service, application):
    replicas = front.FrontArguments.model_validate(application.args).replicas
    [group] = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert replicas.cpus <= float(limits["cpu"])
    assert replicas.gpus <= float(limits["nvidia.com/gpu"])
    assert group["maxReplicas"] >= replicas.most
    assert group["template"]["spec"]["terminationGracePeriodSeconds"] > replicas.drain


def test_the_server_of_a_cluster_has_keys(monkeypatch):
    arguments = front.FrontArguments(settings={"models": ["emoji-scenes"]})
    monkeypatch.delenv("LATELIER_SERVER_KEYS", raising=False)
    with pytest.raises(InvalidInputError, match="LATELIER_SERVER_KEYS"):
        front.Front(arguments, {})
    monkeypatch.setenv("LATELIER_SERVER_KEYS", "a" * 16)
    assert front.Front(arguments, {})._settings.keys == ("a" * 16,)
