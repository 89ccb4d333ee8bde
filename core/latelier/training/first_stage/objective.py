"""The losses of an autoencoder and its discriminator."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from latelier.training.configs.first_stage import FirstStageTraining, first_step
from latelier.training.configs.optimization import OptimizerConfig
from latelier.training.data.datasets import collate
from latelier.training.first_stage.losses.adversarial import Adversary
from latelier.training.first_stage.losses.equivariance import factor_at, shrink
from latelier.training.first_stage.losses.reconstruction import ReconstructionLoss
from latelier.training.first_stage.losses.regularization import Regularization, Regularized
from latelier.training.objective import MODEL, Objective
from latelier.training.randomness import Draws, Purpose

DISCRIMINATOR = "discriminator"
"""The player that tells images from reconstructions."""


class AutoencoderObjective(Objective):
    """The losses of an autoencoder (arXiv:2112.10752, eq. 25) and of its discriminator.

    The autoencoder minimizes regularization + reconstruction + adversarial loss + equivariance. The
    reported total has no adversarial loss, whose value depends on the discriminator.

    Attributes:
        autoencoder: The one that is trained.
        config: The training's configuration.
        reconstruction: The reconstruction loss.
        adversary: The discriminator; None without an adversarial loss.
    """

    def __init__(
        self,
        autoencoder: Any,
        regularization: Regularization,
        perceptual: nn.Module | None,
        config: FirstStageTraining,
    ) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = autoencoder
        self.trained = self.autoencoder
        weight = config.perceptual.weight if config.perceptual else 1.0
        self.reconstruction = ReconstructionLoss(config.terms, perceptual, weight)
        self.adversary: Adversary | None = None
        if config.adversarial is not None:
            start = first_step(config.adversarial.start, config.steps)
            self.adversary = Adversary(config.adversarial, start)
        self._regularization = regularization

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """The autoencoder, and the discriminator if there is an adversarial loss."""
        if self.adversary is None:
            return {MODEL: self.trained}
        return {MODEL: self.trained, DISCRIMINATOR: self.adversary.discriminator}

    def optimizer_of(self, player: str) -> OptimizerConfig | None:
        """Return the optimizer of the discriminator; None for the autoencoder."""
        adversarial = self.config.adversarial
        return adversarial.optimizer if adversarial and player == DISCRIMINATOR else None

    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return images (B, 3, H, W) and indices."""
        return collate(samples)

    def forward(self, batch: dict[str, Any], step: int, player: str = MODEL) -> dict[str, Tensor]:
        """Return the loss of a player and its terms."""
        if player == DISCRIMINATOR:
            return self._discriminate(batch, step)
        images = batch["image"]
        result = self._reconstruct(batch, step)
        reconstruction_loss, terms = self.reconstruction(result.reconstructions, images)
        terms |= result.terms
        loss = result.loss + reconstruction_loss
        if self.adversary is not None:
            loss = loss + self._oppose(batch, step, result, reconstruction_loss, terms)
        if self.config.equivariance is not None:
            loss = loss + self._shrink(result, images, step, terms)
        return {"loss": loss, **terms}

    def _reconstruct(self, batch: dict[str, Any], step: int) -> Regularized:
        """Return the reconstructions; those of the last part have noise and a frozen encoder."""
        draws = Draws(self.config.seed, step, batch["index"])
        last_part = self.config.decoder_only
        if last_part is None or not self._is_last_part(step):
            return self._regularization.reconstruct(batch["image"], draws)
        with torch.no_grad():
            latents = self.autoencoder.encode(batch["image"]).float()
            latents = add_noise(latents, last_part.noise, draws)
        reconstructions = self.autoencoder.decode(latents).float()
        return Regularized(latents, reconstructions, latents.new_zeros(()), {})

    def _is_last_part(self, step: int) -> bool:
        """Return whether the encoder is frozen."""
        last_part = self.config.decoder_only
        return last_part is not None and step >= first_step(last_part.start, self.config.steps)

    def _oppose(
        self,
        batch: dict[str, Any],
        step: int,
        result: Regularized,
        reconstruction_loss: Tensor,
        terms: dict[str, Tensor],
    ) -> Tensor:
        """Return 0 with the gradient of the weighted adversarial loss, and add its terms."""
        adversary = self.adversary
        terms["adversarial"] = terms["adversarial_weight"] = _absent(reconstruction_loss)
        if adversary is None or step < adversary.start:
            return reconstruction_loss.new_zeros(())
        adversary.remember(step, batch["index"][0], result.reconstructions)
        # the published KL models sum the reconstruction loss over the image
        scale = result.reconstructions[0].numel() if self.config.reduction == "sum" else 1
        layer = self.autoencoder.decoder.conv_out.weight
        loss, weight = adversary.weigh(result.reconstructions, reconstruction_loss, layer, scale)
        terms["adversarial"], terms["adversarial_weight"] = loss, weight
        # only the gradient counts: the value depends on the discriminator, and a large weight
        # would make the total look like a loss that explodes
        return weight * (loss - loss.detach())

    def _shrink(
        self, result: Regularized, images: Tensor, step: int, terms: dict[str, Tensor]
    ) -> Tensor:
        """Return the weighted loss of shrunk latents, and add it to `terms`."""
        config = self.config.equivariance
        assert config is not None
        terms["equivariance"] = _absent(images)
        factor = factor_at(config, step)
        if factor is None or self._is_last_part(step):
            return images.new_zeros(())
        decoded = self.autoencoder.decode(shrink(result.latents, factor)).float()
        loss, _ = self.reconstruction.compare_pixels(decoded, shrink(images, factor))
        terms["equivariance"] = loss
        return config.weight * loss

    def _discriminate(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return the loss of the discriminator and its terms."""
        assert self.adversary is not None
        if step < self.adversary.start:
            return self.adversary.wait()
        reconstructions = self.adversary.recall(step, batch["index"][0])
        if reconstructions is None:
            with torch.no_grad():
                reconstructions = self._reconstruct(batch, step).reconstructions
        return self.adversary.discriminate(batch["image"], reconstructions)


def _absent(like: Tensor) -> Tensor:
    """Return the value of a term that a step does not have."""
    return like.new_full((), float("nan"))


def add_noise(latents: Tensor, largest: float, draws: Draws) -> Tensor:
    """Return latents with noise of a random level for each image, uniform in 0 to `largest`.

    Levels are in units of the standard deviation of the image's latents.
    """
    level = largest * draws.uniform(Purpose.LATENT_NOISE_LEVEL).to(latents)
    noise = draws.normal(Purpose.LATENT_NOISE, latents.shape[1:], latents.device)
    std = latents.flatten(1).std(1)
    return latents + (std * level).view(-1, 1, 1, 1) * noise
