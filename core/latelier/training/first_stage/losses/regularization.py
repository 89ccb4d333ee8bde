"""The two kinds of regularised latents: Gaussian (KL) and quantised (VQ)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.scaling import normalize
from latelier.training.configs.first_stage import FirstStageTraining, first_step
from latelier.training.first_stage.losses.codebook import set_codes
from latelier.training.randomness import Draws, Purpose

_KL_WEIGHT, _CODEBOOK_WEIGHT = 1e-6, 1.0
"""As published (arXiv:2112.10752, section G)."""


@dataclass(frozen=True, eq=False)
class Regularized:
    """Latents of a batch as the decoder takes them in training.

    Attributes:
        latents: (B, C, h, w), scaled and before quantisation.
        reconstructions: (B, 3, H, W) of them.
        loss: The weighted regularisation, a scalar.
        terms: Scalars to report.
    """

    latents: Tensor
    reconstructions: Tensor
    loss: Tensor
    terms: dict[str, Tensor]


class Regularization(ABC):
    """Encodes and decodes with a regularisation of the latents."""

    @abstractmethod
    def reconstruct(self, images: Tensor, draws: Draws) -> Regularized:
        """Return the reconstructions of images (B, 3, H, W)."""

    @abstractmethod
    def describe(self) -> str:
        """Return its weight and what is weighed, such as "1e-06 kl"."""


class GaussianLatents(Regularization):
    """Latents are samples of the posterior, which stays near a standard normal distribution.

    Attributes:
        reduction: "mean": the weight is that of the mean KL of a latent number; "sum": of the sum
            of an image's KL, divided by the number of the image's values.
    """

    def __init__(
        self, autoencoder: AutoencoderKL, weight: float, reduction: Literal["mean", "sum"]
    ) -> None:
        self.reduction = reduction
        self._autoencoder = autoencoder
        self._weight = weight

    def reconstruct(self, images: Tensor, draws: Draws) -> Regularized:
        """Return the reconstructions of images (B, 3, H, W); "kl" is the mean KL of a number."""
        mean, logvar = (each.float() for each in self._autoencoder.posterior(images))
        noise = draws.normal(Purpose.POSTERIOR, mean.shape[1:], mean.device)
        z = mean + torch.exp(0.5 * logvar) * noise
        latents = normalize(z, self._autoencoder.config)
        kl = kl_divergence(mean, logvar)
        weight = self._weight
        if self.reduction == "sum":
            weight *= mean[0].numel() / images[0].numel()
        reconstructions = self._autoencoder.decode(latents).float()
        return Regularized(latents, reconstructions, weight * kl, {"kl": kl})

    def describe(self) -> str:
        """Return the weight, and whether it is that of a mean or of a sum."""
        return f"{self._weight:g} kl ({self.reduction})"


class QuantizedLatents(Regularization):
    """Each latent vector is replaced by the nearest code; the gradient passes straight through.

    Attributes:
        start: First step with quantisation; then the codes are drawn from latents. None: there is
            quantisation from the beginning, with codes as published.
    """

    def __init__(
        self,
        autoencoder: AutoencoderVQ,
        weight: float,
        config: FirstStageTraining,
        code_images: Sequence[Tensor],
    ) -> None:
        """Create the regularisation; the codes are drawn from the latents of `code_images`."""
        share = config.codebook_start
        self.start = None if share is None else first_step(share, config.steps)
        self._autoencoder = autoencoder
        self._weight = weight
        self._seed = config.seed
        self._code_images = code_images

    def reconstruct(self, images: Tensor, draws: Draws) -> Regularized:
        """Return the reconstructions of images (B, 3, H, W); "perplexity" counts the codes used."""
        if self.start is not None and draws.step < self.start:
            return self._reconstruct_unquantized(images)
        if self._code_images:
            if draws.step == self.start:
                set_codes(self._autoencoder, self._code_images, self._seed)
            self._code_images = ()  # a run that is resumed later has its codes
        autoencoder = self._autoencoder
        latents = autoencoder.encode(images).float()
        quantized = autoencoder.quantize_latents(latents)
        codes = normalize(quantized.latents, autoencoder.config)
        reconstructions = autoencoder.decode_unquantized(codes).float()
        counts = torch.bincount(quantized.indices.flatten(), minlength=autoencoder.config.n_embed)
        terms = {"codebook": quantized.loss, "perplexity": perplexity(counts)}
        return Regularized(latents, reconstructions, self._weight * quantized.loss, terms)

    def describe(self) -> str:
        """Return the weight, and the step in which quantisation starts."""
        start = "" if self.start is None else f" (quantized from step {self.start})"
        return f"{self._weight:g} codebook{start}"

    def _reconstruct_unquantized(self, images: Tensor) -> Regularized:
        latents = self._autoencoder.encode(images).float()
        reconstructions = self._autoencoder.decode_unquantized(latents).float()
        absent = latents.new_full((), float("nan"))
        terms = {"codebook": absent, "perplexity": absent}
        return Regularized(latents, reconstructions, latents.new_zeros(()), terms)


def make_regularization(
    autoencoder: Any, config: FirstStageTraining, code_images: Sequence[Tensor] = ()
) -> Regularization:
    """Return the regularisation that an autoencoder is made for.

    Args:
        autoencoder: of either kind.
        config: of the training.
        code_images: batches of images (B, 3, H, W) whose latents the first codes are drawn from,
            with `codebook_start`.

    Raises:
        CompatibilityError: the first stage is neither a KL nor a VQ autoencoder.
        InvalidConfigError: the configuration has a field of the other kind.
    """
    if isinstance(autoencoder, AutoencoderKL):
        _check_absent(config, ("codebook_weight", "codebook_start"), "autoencoder_kl")
        has_both = autoencoder.config.use_quant_conv and autoencoder.config.use_post_quant_conv
        if config.whiten and not has_both:
            raise InvalidConfigError(
                "whiten: changes quant_conv and post_quant_conv, which this autoencoder_kl lacks"
            )
        weight = _KL_WEIGHT if config.kl_weight is None else config.kl_weight
        return GaussianLatents(autoencoder, weight, config.reduction)
    if isinstance(autoencoder, AutoencoderVQ):
        _check_absent(config, ("kl_weight", "whiten"), "autoencoder_vq")
        if config.reduction != "mean":
            raise InvalidConfigError("reduction: autoencoder_vq is trained with 'mean'")
        weight = _CODEBOOK_WEIGHT if config.codebook_weight is None else config.codebook_weight
        return QuantizedLatents(autoencoder, weight, config, code_images)
    raise CompatibilityError(
        f"the first stage {type(autoencoder).__name__} has no latents to regularise; "
        "train 'latelier/autoencoder_kl' or 'latelier/autoencoder_vq'"
    )


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(N(mean, exp(logvar)) || N(0, 1)), averaged over all latent numbers: a scalar."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()


def perplexity(counts: Tensor) -> Tensor:
    """Return exp(entropy) of how often each code occurs: n if n codes occur equally often."""
    shares = counts / counts.sum()
    return torch.exp(torch.special.entr(shares).sum())


def _check_absent(config: FirstStageTraining, names: tuple[str, ...], kind: str) -> None:
    for name in names:
        if getattr(config, name) not in (None, False):
            raise InvalidConfigError(
                f"{name}: this setting is not for the first stage {kind}; leave it out"
            )
