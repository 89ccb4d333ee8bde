"""A cluster of Ray: an instance that ends with the command, or one that runs at an address."""

import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from latelier.contracts.errors import InvalidInputError
from latelier.io.file_lock import claim

from latelier_ray.errors import ClusterError

LOCAL = "local"
"""The address that stands for an instance of the command's own, on this machine."""

CONNECT_SECONDS = 10.0
"""How long an address has to answer."""

_OBJECT_STORE_BYTES = 256 * 2**20
"""Shared memory of a local instance: what passes through it is a few requests and pictures."""

_PREFIX = "latelier-ray-"
"""Of the folders of local instances."""

_ABANDONED_SECONDS = 60.0
"""Age of a folder that its command has claimed, if it lives."""

_QUIET: dict[str, Any] = {
    "log_to_driver": False,
    "logging_level": "ERROR",
    "include_dashboard": False,
}


@dataclass(frozen=True)
class Cluster:
    """What a cluster has, at the moment of connecting.

    Attributes:
        cpus: logical CPUs of all nodes.
        gpus: GPUs of all nodes.
        is_local: whether it is an instance of this command's own.
    """

    cpus: int
    gpus: int
    is_local: bool


@contextmanager
def connect(address: str, cpus: int) -> Iterator[Cluster]:
    """Connect to a cluster inside of the block.

    Args:
        address: "local" for an instance that ends with the block, "auto" for the cluster that this
            machine belongs to, or HOST:PORT of its head; this machine is one of its nodes.
        cpus: logical CPUs of a local instance, whatever the machine has. Actors and tasks that
            take more wait for ever: reserve one above the sum.

    Raises:
        InvalidInputError: the address is none of these.
        ClusterError: there is no cluster at the address, or it refuses the connection.
    """
    import ray

    host = _parse(address)
    if host is not None:
        _probe(*host)
    with _start_local(cpus) if address == LOCAL else _join(address):
        try:
            total = ray.cluster_resources()
            yield Cluster(int(total.get("CPU", 0)), int(total.get("GPU", 0)), address == LOCAL)
        finally:
            ray.shutdown()


@contextmanager
def _start_local(cpus: int) -> Iterator[None]:
    """Start an instance, whose files and processes end with the block.

    Its token is in the environment alone: Ray would write one to the user's home folder.
    """
    variables = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": _make_token()}
    _remove_abandoned()
    with (
        TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as folder,
        claim(Path(folder)),
        _environment(variables),
    ):
        _init(LOCAL, num_cpus=cpus, object_store_memory=_OBJECT_STORE_BYTES, _temp_dir=folder)
        yield


def _remove_abandoned() -> None:
    """Remove the folders of instances whose commands were killed: they claim them no more."""
    for folder in Path(gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                with claim(folder):
                    shutil.rmtree(folder, ignore_errors=True)


@cache
def _make_token() -> str:
    """Return a secret of this process: Ray reads the variable once, and keeps what it had."""
    return os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32)


@contextmanager
def _join(address: str) -> Iterator[None]:
    _init(address)
    yield


def _init(address: str, **options: Any) -> None:
    import ray

    try:
        ray.init(address, **_QUIET, **options)
    except Exception as error:  # a bare one on a machine that is too busy to start Ray in 30 s
        reason = str(error).strip().partition("\n")[0]
        raise ClusterError(f"--cluster {address}: {reason}") from error


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _parse(address: str) -> tuple[str, int] | None:
    """Return host and port of an address; None for one without them.

    Raises:
        InvalidInputError: it is no address.
    """
    if address in (LOCAL, "auto"):
        return None
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InvalidInputError(
            f"--cluster: expected local, auto or HOST:PORT such as 10.0.0.1:6379, got '{address}'"
        )
    return host, int(port)


def _probe(host: str, port: int) -> None:
    """Check that a gRPC server answers: Ray itself would try for minutes.

    Raises:
        ClusterError: none does.
    """
    import grpc

    reason = ""
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        if not os.environ.get("RAY_USE_TLS"):
            with grpc.insecure_channel(f"{host}:{port}") as channel:
                grpc.channel_ready_future(channel).result(CONNECT_SECONDS)
    except OSError as error:
        reason = error.strerror or str(error)
    except grpc.FutureTimeoutError:
        reason = "what listens there is no head of a cluster"
    if reason:
        raise ClusterError(
            f"--cluster {host}:{port}: no cluster of Ray answers ({reason}); `ray start --head` "
            "starts one, and --cluster local needs none"
        )
