"""What the blocks of a denoiser share during one call."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from latelier.denoisers.adapter import Adapted
from latelier.denoisers.injection import Context


@dataclass(frozen=True, eq=False)
class Call:
    """Made anew for each forward pass, so that a denoiser holds no state.

    emb: (B, E), the timestep embedding with every vector added, after its SiLU.
    context: what is cross-attended; None where no stream is given.
    perturbed_attention: names of the self-attention layers that pass their values through.
    gradient_checkpointing: whether what is inside layers is made again in the backward pass.
    adapters: what is cross-attended beside the context.
    """

    emb: Tensor
    context: Context | None
    perturbed_attention: frozenset[str]
    gradient_checkpointing: bool = False
    adapters: tuple[Adapted, ...] = ()

    @property
    def attends(self) -> bool:
        """Whether there is anything to cross-attend to."""
        return self.context is not None or bool(self.adapters)

    def applied(self, layer: nn.Module, *features: Any) -> Tensor:
        """Return what a layer that is told of the call makes of features."""
        out: Tensor = (
            checkpoint(layer, *features, self, use_reentrant=False)
            if self.gradient_checkpointing
            else layer(*features, self)
        )
        return out
