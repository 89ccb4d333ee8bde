"""Addresses of clusters: a wrong one is refused soon, and in one line."""

import socket

import pytest
from latelier.contracts.errors import InvalidInputError

from latelier_ray import cluster
from latelier_ray.cluster import Cluster, connect
from latelier_ray.errors import ClusterError
from latelier_ray.sizing import check_device, local_cpus, size_workers
from latelier_ray.workers import WorkerSize


@pytest.mark.parametrize("address", ["here", "10.0.0.1", "ray://10.0.0.1:10001", ":1", "a:0"])
def test_a_text_that_is_no_address_is_refused(address):
    with pytest.raises(InvalidInputError, match=r"expected local, auto or HOST:PORT"):
        connect(address, 1).__enter__()


def test_nothing_that_listens_is_a_cluster_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ClusterError, match=rf"127.0.0.1:{port}: no cluster of Ray answers"):
        connect(f"127.0.0.1:{port}", 1).__enter__()


def test_something_else_that_listens_is_a_cluster_error(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ClusterError, match="no head of a cluster"):
            connect(f"127.0.0.1:{other.getsockname()[1]}", 1).__enter__()


def test_a_machine_that_is_too_busy_to_start_ray_is_a_cluster_error(monkeypatch):
    def time_out(*_arguments, **_options):
        raise Exception("The current node timed out during startup. This could happen")

    monkeypatch.setattr("ray.init", time_out)
    with pytest.raises(ClusterError, match="--cluster local: The current node timed out"):
        connect("local", 1).__enter__()


def test_workers_of_a_local_instance_leave_a_cpu(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert local_cpus(None, 1) == 5
    assert local_cpus(None, 4) == 5
    assert local_cpus(3, 2) == 7
    assert local_cpus(None, 1, model_bytes=2**62) == 2  # one, where memory is for none


def test_each_gpu_has_a_worker_unless_the_device_is_the_cpu():
    gpus = Cluster(cpus=8, gpus=2, is_local=False)
    assert size_workers(gpus, None, 1, "auto") == WorkerSize(2, 1, 1)
    assert size_workers(gpus, None, 2, "cpu") == WorkerSize(4, 2, 0)
    assert size_workers(Cluster(5, 0, True), None, 2, "auto") == WorkerSize(2, 2, 0)


def test_more_workers_than_a_cluster_has_room_for_are_refused():
    with pytest.raises(ClusterError, match="3 workers need 6 CPUs, and the cluster has 4"):
        size_workers(Cluster(4, 0, False), 3, 2, "auto")
    with pytest.raises(ClusterError, match="1 workers need 1 GPUs, and the cluster has 0"):
        size_workers(Cluster(4, 0, False), None, 1, "cuda")


def test_an_unknown_device_is_refused():
    with pytest.raises(InvalidInputError, match="--device: expected auto, cpu, cuda, got 'tpu'"):
        check_device("tpu")
