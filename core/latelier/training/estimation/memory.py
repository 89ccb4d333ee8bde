"""The memory of a training's tensors."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


class SavedActivations:
    """The tensors that forward passes keep for their backward passes.

    Attributes:
        peak: Their greatest size at one time, in bytes.
    """

    def __init__(self, module: nn.Module) -> None:
        self.peak = 0
        self._bytes = 0
        self._weights = {_address(each) for each in (*module.parameters(), *module.buffers())}
        self._kept = Counter[int]()

    def keep(self, tensor: Tensor) -> "_Kept":
        """Count a tensor until it is freed, unless it is a weight or its memory counts already."""
        address = _address(tensor)
        if not self._kept[address] and address not in self._weights:
            self._bytes += tensor.untyped_storage().nbytes()
            self.peak = max(self.peak, self._bytes)
        self._kept[address] += 1
        return _Kept(self, tensor)

    def free(self, tensor: Tensor) -> None:
        """Count a kept tensor no longer."""
        address = _address(tensor)
        self._kept[address] -= 1
        if not self._kept[address] and address not in self._weights:
            self._bytes -= tensor.untyped_storage().nbytes()


class _Kept:
    """A tensor that autograd holds until the backward pass has used it."""

    def __init__(self, saved: SavedActivations, tensor: Tensor) -> None:
        self._saved = saved
        self.tensor = tensor

    def __del__(self) -> None:
        self._saved.free(self.tensor)


@contextmanager
def measure_activations(module: nn.Module) -> Iterator[SavedActivations]:
    """Measure the activations that the forward passes inside keep."""
    saved = SavedActivations(module)
    with saved_tensors_hooks(saved.keep, lambda kept: kept.tensor):
        yield saved


def size_of(tensors: Iterable[Tensor]) -> int:
    """Return the bytes of tensors."""
    return sum(each.numel() * each.element_size() for each in tensors)


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
