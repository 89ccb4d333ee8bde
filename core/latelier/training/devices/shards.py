"""Tensors that are sharded among processes (FSDP2), and whole ones."""

from collections.abc import Mapping

from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def shard_like(tensor: Tensor, reference: Tensor) -> Tensor:
    """Return a whole tensor, sharded as a reference of its shape is."""
    if not isinstance(reference, DTensor) or tensor.shape != reference.shape:
        return tensor
    # each process has the whole tensor, so nothing needs to be sent
    return distribute_tensor(
        tensor.to(reference.device), reference.device_mesh, reference.placements, src_data_rank=None
    )


def gather(tensor: Tensor) -> Tensor:
    """Return the whole of a tensor; if it is sharded, every process must call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gather_all(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return whole tensors; every process must call it with the same names."""
    return {name: gather(tensor) for name, tensor in tensors.items()}
