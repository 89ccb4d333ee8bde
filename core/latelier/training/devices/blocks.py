"""The repeated blocks of networks, which are sharded and compiled one by one."""

from collections.abc import Iterator

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard

from latelier.denoisers.forward_context import ContextLayer
from latelier.first_stages.layers import ResnetBlock
from latelier.nn.layers import EncoderLayer

_BLOCKS = (ContextLayer, ResnetBlock, EncoderLayer)


def find_blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the blocks inside a module."""
    return (each for each in module.modules() if isinstance(each, _BLOCKS))


def shard(module: nn.Module, mesh: DeviceMesh) -> nn.Module:
    """Shard the weights of each block, and the rest together (FSDP2; arXiv:2304.11277)."""
    for block in reversed(list(find_blocks(module))):  # blocks in blocks come first
        fully_shard(block, mesh=mesh["data_parallel"])
    fully_shard(module, mesh=mesh["data_parallel"])
    return module


def compile_blocks(module: nn.Module) -> None:
    """Compile each block with torch.compile, at its first call."""
    for block in find_blocks(module):
        block.compile()
