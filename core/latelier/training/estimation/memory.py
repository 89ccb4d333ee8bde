"""The memory of a training's tensors."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


class SavedActivations:
    """The tensors that forward passes keep for their backward passes.

    Attributes:
        bytes: Their size.
    """

    def __init__(self, module: nn.Module) -> None:
        self.bytes = 0
        self._seen = {_address(each) for each in (*module.parameters(), *module.buffers())}

    def add(self, tensor: Tensor) -> Tensor:
        """Count a tensor, unless it is a weight or shares memory with one that is counted."""
        if _address(tensor) not in self._seen:
            self._seen.add(_address(tensor))
            self.bytes += tensor.untyped_storage().nbytes()
        return tensor


@contextmanager
def measure_activations(module: nn.Module) -> Iterator[SavedActivations]:
    """Count the activations that the forward passes inside keep."""
    saved = SavedActivations(module)
    with saved_tensors_hooks(saved.add, lambda tensor: tensor):
        yield saved


def size_of(tensors: Iterable[Tensor]) -> int:
    """Return the bytes of tensors."""
    return sum(each.numel() * each.element_size() for each in tensors)


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 - a pseudo-file
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):  # not Linux
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
