"""The contracts of first stages and denoisers, and what they are called with.

Shapes: B images of a batch, C latent channels, h x w latent size, f the downsampling factor.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig, FirstStageConfig
from latelier.contracts.wrappers import DeepBranchWrapper, SelfAttentionWrapper

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PictureGeometry:
    """The picture that a condition is prepared for.

    Attributes:
        size: (H, W) in pixels.
        latent_size: (h, w).
        crop: x0, y0, x1, y1 of the window, in 0..1 of the whole picture.
        first_stage: for conditioners that work on latents; None in `Conditioner.prepare`.
    """

    size: tuple[int, int]
    latent_size: tuple[int, int]
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    first_stage: "FirstStage | None" = None

    @classmethod
    def of_picture(cls, width: int, height: int, first_stage: "FirstStage") -> Self:
        """Return the geometry of a whole picture, its sides in pixels."""
        f = first_stage.config.downsampling
        return cls((height, width), (height // f, width // f), first_stage=first_stage)


@dataclass(frozen=True, eq=False)
class ScaledAdapter:
    """An adapter (see `latelier.denoisers.adapter`) and its strength in a call.

    Attributes:
        module: the adapter; it has a `config`.
        scale: strength, a number or (B,); 0 is the same as no adapter.
    """

    module: Any
    scale: "float | Tensor" = 1.0

    @property
    def is_off(self) -> bool:
        """Whether the scale is the number 0. A tensor is not read, which would wait for a GPU."""
        return isinstance(self.scale, float | int) and self.scale == 0


@dataclass(frozen=True, eq=False)
class Control:
    """Options of one call of a denoiser, apart from its condition. No module is patched.

    Attributes:
        residuals: block name -> (B, C, h, w), added to that block's output (ControlNet,
            T2I-Adapter).
        perturbed_attention: names of self-attention layers whose attention map is replaced by the
            identity (perturbed-attention guidance, arXiv:2403.17377).
        gradient_checkpointing: whether the backward pass recomputes activations inside blocks, to
            save memory (arXiv:1604.06174). The numbers stay the same.
        adapters: name -> adapter that is added to cross-attentions (IP-Adapter, arXiv:2308.06721).
            It attends to the condition's stream of the same name.
        self_attention: computes each self-attention (token merging, arXiv:2303.17604).
        deep_branch: computes the deep branch (DeepCache, arXiv:2312.00858).
    """

    residuals: "Mapping[str, Tensor]" = field(default_factory=dict)
    perturbed_attention: frozenset[str] = frozenset()
    gradient_checkpointing: bool = False
    adapters: Mapping[str, ScaledAdapter] = field(default_factory=dict)
    self_attention: SelfAttentionWrapper | None = None
    deep_branch: DeepBranchWrapper | None = None


class FirstStage(Protocol):
    """Compresses images in [-1, 1] to latents, scaled for the denoiser, and back."""

    @property
    def config(self) -> FirstStageConfig:
        """The configuration that it was built with."""
        ...

    def encode(self, images: "Tensor", /) -> "Tensor":
        """Return latents (B, C, H / f, W / f) of images (B, 3, H, W)."""
        ...

    def decode(self, latents: "Tensor", /) -> "Tensor":
        """Return images (B, 3, H, W) of latents (B, C, H / f, W / f)."""
        ...


class ConditionalFirstStage(FirstStage, Protocol):
    """A first stage with a conditional decoder (Zhu et al. 2023, arXiv:2306.04632).

    Its `config.known_inputs` are the conditioners that know pixels of the picture, which latents of
    a lower resolution cannot hold.
    """

    def add_known(self, images: "Tensor", known: "Tensor", /) -> "Tensor":
        """Return decoded images (B, 3, H, W) with what inputs know of their pixels.

        Args:
            images: about in [-1, 1].
            known: (B, 4 K, H, W): for each of the K `known_inputs` RGB in 0..1, multiplied by
                alpha, and alpha: 0 where it knows nothing. Zeros for one without an input.
        """
        ...


class Denoiser(Protocol):
    """Predicts eps, x0, v or the flow, as its noise process defines.

    One that supports "adapters" also has an attribute `cross_attentions`: name of each
    cross-attention -> the width of its queries. One that supports "residuals" has
    `residual_blocks`: the names of the blocks to whose outputs they can be added.
    """

    @property
    def config(self) -> DenoiserConfig:
        """The configuration that it was built with."""
        ...

    def __call__(
        self, x: "Tensor", t: "Tensor", condition: Condition, control: Control | None = None
    ) -> "Tensor":
        """Return the prediction, (B, C, h, w).

        Args:
            x: (B, C, h, w).
            t: (B,) float32, the process's `timestep`.
            condition: what the prediction depends on.
            control: see `Control`.
        """
        ...
