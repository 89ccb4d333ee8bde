"""What the blocks of a denoiser share during one call."""

from dataclasses import dataclass

from torch import Tensor

from latelier.denoisers.injection import Context


@dataclass(frozen=True, eq=False)
class Call:
    """Made anew for each forward pass, so that a denoiser holds no state.

    emb: (B, E), the timestep embedding with every vector added, after its SiLU.
    context: what is cross-attended; None where no stream is given.
    self_values: names of the self-attention layers that pass their values through.
    """

    emb: Tensor
    context: Context | None
    self_values: frozenset[str]
