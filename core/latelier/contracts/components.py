"""The contracts between components, as typed protocols.

Shapes: B images of a batch, C latent channels, h x w latent size, N tokens of width D.
Sigma is the noise's standard deviation in units of x.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig, FirstStageConfig

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PictureGeometry:
    """The picture that a condition is prepared for.

    size: (H, W) in pixels. latent_size: (h, w). crop: window x0, y0, x1, y1 in 0..1 of the whole.
    first_stage: for conditioners that work on latents; `forward` and `null` have it, `prepare` not.
    """

    size: tuple[int, int]
    latent_size: tuple[int, int]
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    first_stage: "FirstStage | None" = None


@dataclass(frozen=True, eq=False)
class ScaledAdapter:
    """An adapter (see `latelier.denoisers.adapter`), and how much it counts in a call.

    module: has its `config`. scale: a number or (B,); 0 is the same as none.
    """

    module: Any
    scale: "float | Tensor" = 1.0

    @property
    def is_off(self) -> bool:
        """Whether it counts nowhere; told without a look at a tensor's numbers."""
        return isinstance(self.scale, float | int) and self.scale == 0


@dataclass(frozen=True, eq=False)
class Control:
    """What one call asks of a denoiser beside its condition. Nothing is patched into a module.

    residuals: block name -> (B, C, h, w), added to that block's output (ControlNet, T2I-Adapter).
    perturbed_attention: names of self-attention layers that pass their values through unattended
        (perturbed-attention guidance, arXiv:2403.17377).
    gradient_checkpointing: whether the backward pass recomputes the activations inside blocks, that
        wait for it in memory (gradient checkpointing, arXiv:1604.06174). No number changes.
    adapters: name -> what is added to cross-attentions (IP-Adapter, arXiv:2308.06721). What an
        adapter is told is the condition's stream of the same name.
    """

    residuals: "Mapping[str, Tensor]" = field(default_factory=dict)
    perturbed_attention: frozenset[str] = frozenset()
    gradient_checkpointing: bool = False
    adapters: Mapping[str, ScaledAdapter] = field(default_factory=dict)


class FirstStage(Protocol):
    """Compresses images to latents and back. Images in [-1, 1]; latents already scaled."""

    @property
    def config(self) -> FirstStageConfig:
        """What it was built with."""
        ...

    def encode(self, images: "Tensor", /) -> "Tensor":
        """Return latents (B, C, H / f, W / f) of images (B, 3, H, W)."""
        ...

    def decode(self, latents: "Tensor", /) -> "Tensor":
        """Return images (B, 3, H, W) of latents (B, C, H / f, W / f)."""
        ...


class Denoiser(Protocol):
    """Predicts what its noise process asks it to (eps, x0, v or flow).

    One that supports "adapters" has beside `cross_attentions`: the name of each of its
    cross-attentions -> the width of the queries.
    """

    @property
    def config(self) -> DenoiserConfig:
        """What it was built with."""
        ...

    def __call__(
        self, x: "Tensor", t: "Tensor", condition: Condition, control: Control | None = None
    ) -> "Tensor":
        """Return the prediction (B, C, h, w); t (B,) float32 is the process's `timestep`."""
        ...
