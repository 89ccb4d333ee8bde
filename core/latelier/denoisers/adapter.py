"""Attention adapters: a stream enters a finished denoiser through additional keys and values.

Decoupled cross-attention (IP-Adapter, Ye et al., arXiv:2308.06721, equation 5). A cross-attention
attends to its context and to each adapter:

    to_out(attend(q, K, V) + sum over adapters of scale * attend(q, K_a, V_a)).

Adapters are arguments of a call: no weight of the denoiser changes, and nothing is patched into it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from latelier.contracts.components import ScaledAdapter
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import CompatibilityError
from latelier.denoisers.configs import AttentionAdapterConfig, ProjectionConfig
from latelier.denoisers.injection import Context, is_active
from latelier.nn.attention import attend, merge_heads, split_heads
from latelier.nn.module import ConfiguredModule
from latelier.nn.packed import Linear

ATTENTION_ID = "latelier/attention"
"""The id of this kind of adapter."""


class TokenProjection(nn.Module):
    """Makes k tokens of each token of a stream, by a linear layer, and normalises them."""

    def __init__(self, width: int, config: ProjectionConfig) -> None:
        super().__init__()
        self._tokens = config.tokens
        self.proj = Linear(width, config.tokens * config.width)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N * k, C) of tokens (B, N, D)."""
        b, n, _ = tokens.shape
        return self.norm(self.proj(tokens).view(b, n * self._tokens, -1))


class KeysValues(nn.Module):
    """The keys and values for one cross-attention."""

    def __init__(self, key_width: int, width: int) -> None:
        super().__init__()
        self.to_k = Linear(key_width, width, bias=False)
        self.to_v = Linear(key_width, width, bias=False)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values (B, N, C) of tokens (B, N, D)."""
        return self.to_k(tokens), self.to_v(tokens)


class AttentionAdapter(ConfiguredModule[AttentionAdapterConfig]):
    """The keys and values of one stream for the cross-attentions of a denoiser.

    A new adapter's values are zero, so that training starts from the unchanged denoiser.
    """

    def __init__(self, config: AttentionAdapterConfig) -> None:
        super().__init__(config)
        self.projection = (
            TokenProjection(config.width, config.projection) if config.projection else None
        )
        self.layers = nn.Module()
        for name, width in config.layers.items():
            layer = KeysValues(config.key_width, width)
            nn.init.zeros_(layer.to_v.weight)
            _add_submodule(self.layers, name, layer)

    def forward(self, stream: Stream) -> Context:
        """Return the context of the adapter's layers."""
        if self.projection is None or self.config.projection is None:
            return Context.of(stream)
        tokens, mask = self.projection(stream.tokens), stream.mask
        if mask is not None:
            mask = mask.repeat_interleave(self.config.projection.tokens, dim=1)
        return Context.of(replace(stream, tokens=tokens, mask=mask))

    def layer(self, name: str) -> KeysValues:
        """Return the keys and values for a cross-attention that the adapter serves."""
        layer = self.layers.get_submodule(name)
        assert isinstance(layer, KeysValues)
        return layer


@dataclass(frozen=True, eq=False)
class ActiveAdapter:
    """An adapter in one forward pass.

    Attributes:
        adapter: its weights.
        context: the tokens that it attends to.
        scale: a number, or one for each row, (B,).
    """

    adapter: AttentionAdapter
    context: Context
    scale: float | Tensor

    def serves(self, layer: str) -> bool:
        """Return whether the adapter has keys and values for a cross-attention."""
        return layer in self.adapter.config.layers

    def attend(self, layer: str, q: Tensor, size: tuple[int, int]) -> Tensor:
        """Return (B, h * w, C), to add before the output layer, for queries (B, H, h * w, d)."""
        context = self.context.for_layer(size)
        keys, values = self.adapter.layer(layer)(context.tokens)
        k, v = (split_heads(part, heads=q.shape[1]) for part in (keys, values))
        out = merge_heads(attend(q, k, v, context.bias))
        if isinstance(self.scale, Tensor):
            out = out * self.scale.to(out.dtype).view(-1, 1, 1)
        elif self.scale != 1:
            out = out * self.scale
        return out if context.gate is None else out * context.gate


def activate_adapters(
    adapters: Mapping[str, ScaledAdapter], condition: Condition
) -> tuple[ActiveAdapter, ...]:
    """Return the adapters that act on a forward pass with this condition.

    An adapter whose scale is the number 0, or whose stream is absent or not active, is left out.
    """
    active = []
    for name, scaled in adapters.items():
        stream = condition.streams.get(name)
        if stream is not None and is_active(stream) and not scaled.is_off:
            active.append(ActiveAdapter(scaled.module, scaled.module(stream), scaled.scale))
    return tuple(active)


def create_adapter(
    denoiser: nn.Module, width: int, projection: ProjectionConfig | None = None
) -> AttentionAdapter:
    """Return a new adapter for all cross-attentions of a denoiser.

    Where widths agree its keys start as copies of the denoiser's, like those of IP-Adapter.

    Args:
        denoiser: has `cross_attentions` and supports "adapters".
        width: of the stream's tokens.
        projection: of the stream's tokens; None leaves them as they are.

    Raises:
        CompatibilityError: the denoiser has no cross-attention.
    """
    layers: Mapping[str, int] = getattr(denoiser, "cross_attentions", {})
    if not layers:
        raise CompatibilityError("an adapter needs cross-attentions, and this denoiser has none")
    config = AttentionAdapterConfig(width=width, projection=projection, layers=dict(layers))
    adapter = AttentionAdapter(config)
    modules = dict(denoiser.named_modules())
    with torch.no_grad():
        for name in layers:
            source = getattr(modules.get(name), "to_k", None)
            target = adapter.layer(name).to_k
            if source is not None and source.weight.shape == target.weight.shape:
                target.weight.copy_(source.weight)
    return adapter


def _add_submodule(root: nn.Module, name: str, layer: nn.Module) -> None:
    """Add a layer under a dotted name, and the modules on the way to it."""
    *path, last = name.split(".")
    for part in path:
        if part not in dict(root.named_children()):
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    root.add_module(last, layer)
