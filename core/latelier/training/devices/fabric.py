"""Lightning Fabric for a configuration: one device, or several processes with a device each."""

import atexit
import os
import time
from functools import cache

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from lightning_fabric.strategies.strategy import Strategy

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.training import Accelerator, Training
from latelier.training.devices.blocks import shard
from latelier.training.devices.precision import check_precision

_RELEASE_SECONDS = 0.5


def make_fabric(config: Training) -> Fabric:
    """Return Lightning Fabric for a configuration, with its processes launched.

    Under torchrun this process is one of several already; otherwise Fabric starts the others with
    the same command line.

    Raises:
        InvalidConfigError: this machine lacks the accelerator, devices or precision.
    """
    devices, nodes = _count_devices(config)
    _check_accelerator(config.accelerator, devices)
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=_make_strategy(config, devices * nodes) if devices * nodes > 1 else "auto",
    )
    check_precision(config.precision, fabric.device)
    fabric.launch()
    if fabric.world_size > 1:
        _release_tensors_at_exit()
    return fabric


@cache
def _release_tensors_at_exit() -> None:
    """Wait at the end of the process until gloo's threads have released the last tensors.

    They do so after a collective has returned, with the interpreter; if that is ending already, the
    process aborts (https://github.com/pytorch/pytorch/issues/190489).
    """
    atexit.register(time.sleep, _RELEASE_SECONDS)


def _count_devices(config: Training) -> tuple[int, int]:
    """Return the devices of each node, and the nodes.

    Raises:
        InvalidConfigError: torchrun started another number of processes than `devices` says.
    """
    if not torch.distributed.is_torchelastic_launched():
        return config.devices or 1, config.num_nodes
    devices = int(os.environ["LOCAL_WORLD_SIZE"])
    if config.devices not in (None, devices):
        raise InvalidConfigError(
            f"devices: expected {config.devices} processes on each node, but torchrun started "
            f"{devices}; leave `devices` out under torchrun"
        )
    return devices, int(os.environ["WORLD_SIZE"]) // devices


def _check_accelerator(accelerator: Accelerator, devices: int) -> None:
    available = {
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    count = available.get(accelerator)
    if count == 0:
        raise InvalidConfigError(
            f"accelerator: '{accelerator}' is not available on this machine; use 'auto' or 'cpu'"
        )
    if count is not None and devices > count:
        raise InvalidConfigError(
            f"devices: expected at most {count}, which this machine has, got {devices}"
        )


def _make_strategy(config: Training, processes: int) -> Strategy:
    if config.strategy == "fsdp":
        # every process has other samples; Fabric's own "fsdp" refuses CPUs
        return ModelParallelStrategy(shard, data_parallel_size=processes, tensor_parallel_size=1)
    return DDPStrategy(find_unused_parameters=True)  # a conditioner without a source is unused
