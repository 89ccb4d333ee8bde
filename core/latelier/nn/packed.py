"""Linear layers and convolutions that keep their weights packed for inference on a CPU.

The kernels of oneDNN read weights in blocks of an order of their own. torch brings a weight into
this order at every call: 2/3 of the time of a convolution of 2560 to 1280 channels over 8 x 8
positions, and half of that of a float32 linear layer, for which torch calls another library. These
layers do it once. The bits of a result depend on the sizes of its call alone, not on earlier ones;
in bfloat16 they are those of torch's own layers.

A weight that is stored in another precision is cast when it is packed. So weights that are mapped
from a file are in memory once in the precision that they are used in, and not before they are used.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from latelier.nn.opaque import register_opaque
from latelier.nn.stored_weights import Embedding, StoredWeight

_ops = torch.ops.mkldnn
_IS_AVAILABLE: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]

PACKED_DTYPES: tuple[torch.dtype, ...] = (torch.float32, torch.bfloat16) if _IS_AVAILABLE else ()
"""Precisions in which packed layers compute."""

_ORDER = 112
"""Where the order begins in oneDNN's description of a tensor, after its sizes and precision."""


class PackedWeight:
    """The packed copies of a weight. They are made anew when the weight has changed.

    The order that a kernel reads depends on the sizes of its call, so there is a copy for each
    order that the calls so far need: one in most layers, two in some.
    """

    def __init__(self) -> None:
        self._source: tuple[Tensor, int] | None = None  # the weight, and its version
        self._copies: dict[Hashable, Tensor] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedWeight, ()  # packed tensors cannot be pickled

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
            others = list(copies.values())  # other threads may add some meanwhile
            found = next((each for each in others if _have_same_order(each, made)), made)
            copies[key] = found
        return found


class Linear(StoredWeight, nn.Linear):
    """`nn.Linear` with a packed weight for inference on a CPU."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """Return (..., out_features) of (..., in_features)."""
        return project(input, self)


class Conv1d(StoredWeight, nn.Conv1d):
    """`nn.Conv1d` with a packed weight where it projects tokens; see `project`."""


class Conv2d(StoredWeight, nn.Conv2d):
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

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
        """Return (B, out_channels, h', w') of (B, in_channels, h, w)."""
        x = self.to_compute_dtype(input)
        if not can_pack(x, self.weight):
            return self._conv_forward(x, _cast(self.weight, x), self.bias)
        convolve = _opaque_convolve if torch.compiler.is_compiling() else _convolve
        padding: Any = self.padding
        result: Tensor = convolve(x, self.weight, self.bias, self.stride, padding)
        return result


def project(tokens: Tensor, layer: nn.Linear | nn.Conv1d | nn.Conv2d) -> Tensor:
    """Apply a layer to tokens (..., C).

    A convolution of size 1 is the same linear map at each position.
    """
    if isinstance(layer, StoredWeight):
        tokens = layer.to_compute_dtype(tokens)
        if can_pack(tokens, layer.weight):
            project_packed = _opaque_project if torch.compiler.is_compiling() else _project
            result: Tensor = project_packed(tokens, layer.weight, layer.bias)
            return result
    return linear(tokens, _cast(layer.weight, tokens).flatten(1), layer.bias)


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
    )


def _project(tokens: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return (..., D) of tokens (..., C) by a packed weight (D, C) or (D, C, 1, ...)."""
    packed = _packed(weight).get(
        weight, tokens.dtype, (), lambda each: _ops._reorder_linear_weight(each.flatten(1))
    )
    result: Tensor = _ops._linear_pointwise(tokens, packed, bias, "none", [], "")
    return result


def _convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """Return the convolution of x by a packed weight."""
    place = padding, stride, (1, 1), 1
    packed = _packed(weight).get(
        weight,
        x.dtype,
        x.shape,
        lambda each: _ops._reorder_convolution_weight(each, *place, x.shape),
    )
    result: Tensor = _ops._convolution_pointwise(x, packed, bias, *place, "none", [], "")
    return result


def _packed(weight: Tensor) -> PackedWeight:
    """Return the packed copies of a weight, which all layers that share it use."""
    found: PackedWeight | None = vars(weight).get("packed")
    return vars(weight).setdefault("packed", PackedWeight()) if found is None else found


def _empty_tokens(tokens: Tensor, weight: Tensor, _bias: Tensor | None) -> Tensor:
    return tokens.new_empty(*tokens.shape[:-1], weight.shape[0])


def _empty_map(
    x: Tensor, weight: Tensor, _bias: Tensor | None, stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    sides = [
        (side + 2 * pad - kernel) // step + 1
        for side, pad, kernel, step in zip(x.shape[2:], padding, weight.shape[2:], stride)
    ]
    shape = x.shape[0], weight.shape[0], *sides  # `len` would fix the number of rows
    return torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)


_opaque_project = register_opaque(
    "project(Tensor tokens, Tensor weight, Tensor? bias) -> Tensor", _project, _empty_tokens
)
_opaque_convolve = register_opaque(
    "convolve(Tensor x, Tensor weight, Tensor? bias, int[] stride, int[] padding) -> Tensor",
    _convolve,
    _empty_map,
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


def adopt_layers(module: nn.Module) -> None:
    """Turn the linear layers and embeddings of another library's module into those of this one.

    The module may call them, and must not read their weights.
    """
    for layer in module.modules():
        layer.__class__ = _ADOPTED.get(type(layer), type(layer))


_ADOPTED: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: Linear, nn.Embedding: Embedding}
