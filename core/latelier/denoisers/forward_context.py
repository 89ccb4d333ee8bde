"""What the layers of a denoiser share during one forward pass."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from latelier.contracts.components import Control
from latelier.denoisers.adapter import ActiveAdapter
from latelier.denoisers.checks import check_residual
from latelier.denoisers.injection import Context


class ContextLayer(nn.Module):
    """Base of the layers whose `forward` takes a `ForwardContext` as its last argument.

    Attributes:
        name: its path in the denoiser, such as "middle_block.1"; a `Control` addresses it so.
    """

    name: str = ""


def name_layers(denoiser: nn.Module) -> None:
    """Set the names of all layers of a denoiser."""
    for path, layer in denoiser.named_modules():
        if isinstance(layer, ContextLayer):
            layer.name = path


def perturbation_names(self_attention: str) -> frozenset[str]:
    """Return the names that perturb a self-attention: its own, and its spatial transformer's."""
    return frozenset({self_attention, self_attention.partition(".transformer_blocks.")[0]})


@dataclass(frozen=True, eq=False)
class ForwardContext:
    """Created for each forward pass, so that a denoiser holds no state between calls.

    Attributes:
        t: (B,), the timesteps.
        emb: (B, E), SiLU of the timestep embedding plus all vectors.
        context: of the cross-attentions; None where no stream is active.
        adapters: the cross-attentions attend to these too.
        control: the caller's.
        size_above: (h, w) of the level above, to which the upsampling of a block returns; None
            where there is none.
    """

    t: Tensor
    emb: Tensor
    context: Context | None = None
    adapters: tuple[ActiveAdapter, ...] = ()
    control: Control = field(default_factory=Control)
    size_above: tuple[int, int] | None = None

    @property
    def has_context(self) -> bool:
        """Whether cross-attentions have anything to attend to."""
        return self.context is not None or bool(self.adapters)

    def is_perturbed(self, self_attention: str) -> bool:
        """Return whether a self-attention's map is to be the identity.

        (Perturbed-attention guidance, Ahn et al. 2024, arXiv:2403.17377.)
        """
        perturbed = self.control.perturbed_attention
        return bool(perturbed) and not perturbed.isdisjoint(perturbation_names(self_attention))

    def attend(
        self, attention: Callable[[Tensor], Tensor], tokens: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Return the self-attention (B, N, D) of tokens (B, N, D), the positions of a map (h, w).

        The caller's wrapper computes it, if there is one.
        """
        wrapper = self.control.self_attention
        return attention(tokens) if wrapper is None else wrapper(attention, tokens, size, self.t)

    def run_deep_branch(self, compute: Callable[[], Tensor]) -> Tensor:
        """Return the features of the deep branch; the caller's wrapper computes them, if any."""
        wrapper = self.control.deep_branch
        return compute() if wrapper is None else wrapper(compute)

    def run_layer(self, layer: nn.Module, *features: Any) -> Tensor:
        """Return the output of a layer; its activations are recomputed backward if asked for."""
        if not isinstance(layer, ContextLayer):
            return layer(*features)
        if self.control.gradient_checkpointing:
            return checkpoint(layer, *features, self, use_reentrant=False)
        return layer(*features, self)

    def add_residual(self, name: str, h: Tensor) -> Tensor:
        """Return the output h (B, C, h, w) of a block plus its residual, if there is one.

        Raises:
            ConditionError: the residual has another shape.
        """
        residual = self.control.residuals.get(name)
        if residual is None:
            return h
        check_residual(name, residual, h.shape)
        return h + residual

    def add_token_residual(self, name: str, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the output (B, h * w, D) of a block plus its residual (B, D, h, w), if any.

        Raises:
            ConditionError: the residual has another shape.
        """
        residual = self.control.residuals.get(name)
        if residual is None:
            return tokens
        b, _, width = tokens.shape
        check_residual(name, residual, (b, width, *size))
        return tokens + rearrange(residual, "b d h w -> b (h w) d")
