"""Adapters: a stream that enters a finished denoiser through keys and values of its own.

Decoupled cross-attention (IP-Adapter, Ye et al., arXiv:2308.06721, equation 5). Beside the keys and
values of the context, a cross-attention has those of each adapter, and its output is

    to_out(attend(q, K, V) + sum over adapters of scale * attend(q, K_a, V_a)).

Nothing of the denoiser changes, and nothing is put into it: an adapter comes with the call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from latelier.contracts.components import ScaledAdapter
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import CompatibilityError
from latelier.denoisers.configs import AdapterConfig, ProjectionConfig
from latelier.denoisers.injection import Attended, Context, counts


class TokenProjection(nn.Module):
    """A linear layer that makes some tokens of each token of a stream, and a norm of each."""

    def __init__(self, width: int, config: ProjectionConfig) -> None:
        super().__init__()
        self._tokens = config.tokens
        self.proj = nn.Linear(width, config.tokens * config.width)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, N * k, C) of tokens (B, N, D)."""
        b, n, _ = tokens.shape
        made: Tensor = self.norm(self.proj(tokens).view(b, n * self._tokens, -1))
        return made


class KeysValues(nn.Module):
    """The keys and values of one cross-attention."""

    def __init__(self, key_width: int, width: int) -> None:
        super().__init__()
        self.to_k = nn.Linear(key_width, width, bias=False)
        self.to_v = nn.Linear(key_width, width, bias=False)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values (B, N, C) of tokens (B, N, D)."""
        return self.to_k(tokens), self.to_v(tokens)


class Adapter(nn.Module):
    """The keys and values of one stream for the cross-attentions of a denoiser.

    New values are zero: an untrained adapter changes no number, and its first steps of training
    start from what the denoiser makes without it.
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self._config = config
        self.projection = (
            TokenProjection(config.width, config.projection) if config.projection else None
        )
        self.layers = nn.Module()
        for name, width in config.layers.items():
            layer = KeysValues(config.key_width, width)
            nn.init.zeros_(layer.to_v.weight)
            _put(self.layers, name, layer)

    @property
    def config(self) -> AdapterConfig:
        """The configuration that it was built with."""
        return self._config

    def forward(self, stream: Stream) -> Context:
        """Return what its layers attend to."""
        if self.projection is None or self._config.projection is None:
            return Context((stream,), stream.tokens)
        tokens, mask = self.projection(stream.tokens), stream.mask
        if mask is not None:
            mask = mask.repeat_interleave(self._config.projection.tokens, dim=1)
        return Context((replace(stream, tokens=tokens, mask=mask),), tokens)

    def keys_values(self, layer: str, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values (B, N, C) of its tokens for a cross-attention that it serves."""
        found: tuple[Tensor, Tensor] = self.layers.get_submodule(layer)(tokens)
        return found


@dataclass(frozen=True, eq=False)
class Adapted:
    """An adapter during one call: what its layers attend to, and how much that counts."""

    adapter: Adapter
    context: Context
    scale: float | Tensor

    def serves(self, layer: str) -> bool:
        """Return whether it is added to a cross-attention."""
        return layer in self.adapter.config.layers

    def weighed(self, values: Tensor, attended: Attended) -> Tensor:
        """Return values (B, Q, C) times scale and presence."""
        if isinstance(self.scale, Tensor):
            values = values * self.scale.to(values.dtype).view(-1, 1, 1)
        elif self.scale != 1:
            values = values * self.scale
        return values if attended.presence is None else values * attended.presence


def adapted(adapters: Mapping[str, ScaledAdapter], condition: Condition) -> tuple[Adapted, ...]:
    """Return the adapters that act on a call with this condition.

    One whose scale is the number 0, or whose stream is absent or does not count, is left out.
    """
    found = []
    for name, use in adapters.items():
        stream = condition.streams.get(name)
        if stream is None or not counts(stream) or use.is_off:
            continue
        found.append(Adapted(use.module, use.module(stream), use.scale))
    return tuple(found)


def adapter_for(
    denoiser: nn.Module, width: int, projection: ProjectionConfig | None = None
) -> Adapter:
    """Return a new adapter for all cross-attentions of a denoiser.

    Where widths agree its keys begin as copies of the denoiser's own, as IP-Adapter's do.

    Args:
        denoiser: one that says its `cross_attentions`, and supports "adapters".
        width: of the stream's tokens.
        projection: what makes other tokens of them.

    Raises:
        CompatibilityError: it has no cross-attention.
    """
    layers: Mapping[str, int] = getattr(denoiser, "cross_attentions", {})
    if not layers:
        raise CompatibilityError("an adapter needs cross-attentions, and this denoiser has none")
    adapter = Adapter(AdapterConfig(width=width, projection=projection, layers=dict(layers)))
    modules = dict(denoiser.named_modules())
    with torch.no_grad():
        for name in layers:
            own = getattr(modules.get(name), "to_k", None)
            new: KeysValues = adapter.layers.get_submodule(name)  # type: ignore[assignment]
            if own is not None and own.weight.shape == new.to_k.weight.shape:
                new.to_k.weight.copy_(own.weight)
    return adapter


def _put(root: nn.Module, name: str, layer: nn.Module) -> None:
    """Register a layer under a name with dots, in modules within modules."""
    *path, last = name.split(".")
    for part in path:
        if part not in dict(root.named_children()):
            root.add_module(part, nn.Module())
        root = root.get_submodule(part)
    root.add_module(last, layer)
