"""The devices of a training: one, or several processes with one device each."""

import os
from collections.abc import Callable
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from lightning_fabric.strategies.strategy import Strategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard

from latelier.contracts.errors import InvalidConfigError, LatelierError
from latelier.denoisers.forward_context import ContextLayer
from latelier.first_stages.layers import ResnetBlock
from latelier.nn.layers import EncoderLayer
from latelier.training.configs.training import Accelerator, Training
from latelier.training.loop.precision import check_precision

T = TypeVar("T")

BLOCKS = (ContextLayer, ResnetBlock, EncoderLayer)
"""The layers that are sharded and compiled one by one."""

_ERROR_STATUS = 2


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
        strategy=_make_strategy(config) if devices * nodes > 1 else "auto",
    )
    check_precision(config.precision, fabric.device)
    fabric.launch()
    return fabric


def call_on_first_rank(fabric: Fabric, function: Callable[[], T]) -> T:
    """Call `function` in the first process, and return its value in all.

    Its error ends all processes; the first reports it.
    """
    if fabric.world_size == 1:
        return function()
    outcome: list[T | LatelierError] = []
    if fabric.is_global_zero:
        try:
            outcome.append(function())
        except LatelierError as error:
            outcome.append(error)
    (value,) = fabric.broadcast(outcome)
    if isinstance(value, LatelierError):
        raise value if fabric.is_global_zero else SystemExit(_ERROR_STATUS)
    return value


def is_true_anywhere(fabric: Fabric, *flags: bool) -> list[bool]:
    """Return for each flag whether it is true in any process."""
    if fabric.world_size == 1:
        return list(flags)
    values = torch.tensor([float(flag) for flag in flags], device=fabric.device)
    return [value > 0 for value in sum_over_ranks(fabric, values).tolist()]


def sum_over_ranks(fabric: Fabric, values: Tensor) -> Tensor:
    """Return the sum of the processes' tensors."""
    total = fabric.all_reduce(values, reduce_op="sum")
    assert isinstance(total, Tensor)
    return total


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


def _make_strategy(config: Training) -> Strategy:
    if config.strategy == "fsdp":
        return ModelParallelStrategy(_shard, data_parallel_size="auto", tensor_parallel_size=1)
    return DDPStrategy(find_unused_parameters=True)  # a conditioner without a source is unused


def _shard(module: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Shard the weights of each block, and the rest together (FSDP2, arXiv:2304.11277)."""
    for block in module.modules():
        if isinstance(block, BLOCKS):
            fully_shard(block, mesh=mesh["data_parallel"])
    fully_shard(module, mesh=mesh["data_parallel"])
    return module
