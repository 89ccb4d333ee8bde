"""Linear layers and convolutions that keep their weights packed for inference on a CPU.

The kernels of oneDNN read weights in blocks of an order of their own. torch brings a weight into
this order at every call: 2/3 of the time of a convolution of 2560 to 1280 channels over 8 x 8
positions, and half of that of a float32 linear layer, for which torch calls another library. These
layers do it once. The bits of a result depend on the sizes of its call alone, not on earlier ones;
in bfloat16 they are those of torch's own layers.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from latelier.nn.views import copy_to

M = TypeVar("M", bound=nn.Module)

_ops = torch.ops.mkldnn
PACKED_DTYPES = (torch.float32, torch.bfloat16)
"""Precisions in which packed layers compute."""

_ORDER = 112
"""Where the order begins in oneDNN's description of a tensor, after its sizes and precision."""

_IS_AVAILABLE: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


class PackedWeight:
    """The packed copies of a weight. They are made anew when the weight has changed.

    The order that a kernel reads depends on the sizes of its call, so there is a copy for each
    order that the calls so far need: one in most layers, two in some.
    """

    def __init__(self) -> None:
        self._source: tuple[Tensor, int] | None = None  # the weight, and its version
        self._copies: dict[Hashable, Tensor] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "PackedWeight":
        return PackedWeight()  # the copy's weight may change

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedWeight, ()

    def get(
        self,
        weight: Tensor,
        dtype: torch.dtype,
        size: Sequence[int],
        pack: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Return the copy of a weight in a precision for calls of a size, packed by `pack`."""
        version = 0 if weight.is_inference() else weight._version
        source = self._source
        if source is None or source[0].data_ptr() != weight.data_ptr() or source[1] != version:
            self._source = weight.detach(), version  # held, so that its address stays its own
            self._copies = {}
        copies, key = self._copies, (dtype, *size)
        found = copies.get(key)
        if found is None:
            made = pack(weight.detach().to(dtype))
            found = next((each for each in copies.values() if _have_same_order(each, made)), made)
            copies[key] = found
        return found


class Linear(nn.Linear):
    """`nn.Linear` with a packed weight for inference on a CPU."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias)
        self.packed = PackedWeight()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """Return (..., out_features) of (..., in_features)."""
        return project(input, self)


class Conv1d(nn.Conv1d):
    """`nn.Conv1d` with a packed weight where it projects tokens; see `project`."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        self.packed = PackedWeight()


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` with a packed weight for inference on a CPU, where its output is channels-last.

    Padding is of zeros.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.packed = PackedWeight()

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """Return (B, out_channels, h', w') of (B, in_channels, h, w)."""
        if not can_pack(input, self.weight):
            return self._conv_forward(input, _cast(self.weight, input), self.bias)
        place = self.padding, self.stride, self.dilation, self.groups
        weight = self.packed.get(
            self.weight,
            input.dtype,
            input.shape,
            lambda each: _ops._reorder_convolution_weight(each, *place, input.shape),
        )
        result: Tensor = _ops._convolution_pointwise(
            input, weight, self.bias, *place, "none", [], ""
        )
        return result


def project(tokens: Tensor, layer: nn.Linear | nn.Conv1d | nn.Conv2d) -> Tensor:
    """Apply a layer to tokens (..., C).

    A convolution of size 1 is the same linear map at each position.
    """
    packed: PackedWeight | None = getattr(layer, "packed", None)
    if packed is None or not can_pack(tokens, layer.weight):
        return linear(tokens, _cast(layer.weight, tokens).flatten(1), layer.bias)
    weight = packed.get(
        layer.weight, tokens.dtype, (), lambda each: _ops._reorder_linear_weight(each.flatten(1))
    )
    result: Tensor = _ops._linear_pointwise(tokens, weight, layer.bias, "none", [], "")
    return result


def can_pack(x: Tensor, weight: Tensor) -> bool:
    """Return whether a layer can compute its output for x from a packed weight."""
    return (
        type(weight) is nn.Parameter
        and x.device.type == "cpu"
        and weight.device.type == "cpu"
        and weight.is_floating_point()
        and x.dtype in PACKED_DTYPES
        and x.numel() > 0
        and not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and _IS_AVAILABLE
    )


def _have_same_order(a: Tensor, b: Tensor) -> bool:
    """Return whether two packed copies of a weight have the same precision and order."""
    orders = (_ops._get_mkldnn_serialized_md(each)[_ORDER:] for each in (a, b))
    return a.dtype == b.dtype and torch.equal(*orders)


def _cast(weight: Tensor, x: Tensor) -> Tensor:
    """Return a weight in the precision of x, which autocast would do by itself."""
    if weight.dtype == x.dtype or torch.is_autocast_enabled(x.device.type):
        return weight
    return weight.to(x.dtype)


def copy_sharing_packed(module: M, dtype: torch.dtype) -> M:
    """Return a copy of a module that computes in a precision on the CPU.

    Weights that its layers pack are shared: they are brought into the precision when they are
    packed, so that they are never in memory twice where the module's are mapped from a file.
    """
    shared = [
        each.weight
        for each in module.modules()
        if isinstance(each, Linear | Conv1d | Conv2d)
        and type(each.weight) is nn.Parameter
        and each.weight.device.type == "cpu"
    ]
    return copy_to(module, torch.device("cpu"), dtype, shared)
