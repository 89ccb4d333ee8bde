"""The adversarial losses, the weight that balances them, and the discriminator's part in them.

Source: Esser et al. 2021, arXiv:2012.09841, eq. 6 and 7.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from latelier.training.configs.first_stage import AdversarialConfig
from latelier.training.first_stage.losses.discriminator import PatchDiscriminator

DiscriminatorLoss = Callable[[Tensor, Tensor], Tensor]
"""(logits of real images, logits of reconstructions) -> scalar."""

_MAX_WEIGHT = 1e4
_EPSILON = 1e-4


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return (mean max(0, 1 - real) + mean max(0, 1 + fake)) / 2 (arXiv:1705.02894)."""
    return 0.5 * (relu(1 - real).mean() + relu(1 + fake).mean())


def vanilla_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return (-mean log D(real) - mean log(1 - D(fake))) / 2 with D(x) = sigmoid(logit)."""
    return 0.5 * (softplus(-real).mean() + softplus(fake).mean())


DISCRIMINATOR_LOSSES: Mapping[str, DiscriminatorLoss] = {
    "hinge": hinge_loss,
    "vanilla": vanilla_loss,
}
"""The losses of the discriminator by their names in a configuration."""


def autoencoder_loss(fake: Tensor) -> Tensor:
    """Return the loss of the autoencoder, with either loss of the discriminator: -mean fake."""
    return -fake.mean()


def adaptive_weight(reconstruction_loss: Tensor, loss: Tensor, last_layer: Tensor) -> Tensor:
    """Return |gradient of the reconstruction loss| / (|gradient of `loss`| + 1e-4), up to 1e4.

    Args:
        reconstruction_loss: a scalar; the perceptual term is a part of it.
        loss: a scalar, the adversarial loss of the autoencoder.
        last_layer: the weight of the decoder's last layer, at which the gradients are taken.
    """
    (reconstruction,) = torch.autograd.grad(reconstruction_loss, last_layer, retain_graph=True)
    (adversarial,) = torch.autograd.grad(loss, last_layer, retain_graph=True)
    ratio = reconstruction.float().norm() / (adversarial.float().norm() + _EPSILON)
    return ratio.clamp(0, _MAX_WEIGHT).detach()


class Adversary(nn.Module):
    """A discriminator that is trained against an autoencoder.

    Attributes:
        discriminator: Tells images from reconstructions.
        start: First step with the adversarial loss.
    """

    def __init__(self, config: AdversarialConfig, start: int) -> None:
        super().__init__()
        self.discriminator = PatchDiscriminator(config.discriminator)
        self.start = start
        self._config = config
        self._step = -1
        self._reconstructions: dict[int, Tensor] = {}

    def remember(self, step: int, position: int, reconstructions: Tensor) -> None:
        """Keep the reconstructions of a micro-batch until the next step.

        Args:
            step: of the training.
            position: of the first sample.
            reconstructions: (B, 3, H, W).
        """
        if step != self._step:
            self._reconstructions.clear()
            self._step = step
        self._reconstructions[position] = reconstructions.detach()

    def recall(self, step: int, position: int) -> Tensor | None:
        """Return the reconstructions of a micro-batch, if they were kept in this step."""
        return self._reconstructions.get(position) if step == self._step else None

    def weigh(
        self, reconstructions: Tensor, reconstruction_loss: Tensor, last_layer: Tensor, scale: int
    ) -> tuple[Tensor, Tensor]:
        """Return the adversarial loss of the autoencoder and its weight, two scalars.

        Args:
            reconstructions: (B, 3, H, W).
            reconstruction_loss: a scalar.
            last_layer: the weight of the decoder's last layer.
            scale: the published reconstruction loss, in units of `reconstruction_loss`. It decides
                when the adaptive weight is clamped.
        """
        loss = autoencoder_loss(self.discriminator(reconstructions))
        weight = torch.full_like(loss, self._config.weight * self._config.factor)
        if self._config.adaptive:
            ratio = adaptive_weight(reconstruction_loss * scale, loss, last_layer)
            weight = weight * ratio / scale
        return loss, weight

    def discriminate(self, images: Tensor, reconstructions: Tensor) -> dict[str, Tensor]:
        """Return the loss of the discriminator and the mean logits of both batches."""
        real, fake = (self.discriminator(x).float() for x in (images, reconstructions))
        loss = self._config.factor * DISCRIMINATOR_LOSSES[self._config.loss](real, fake)
        return {"loss": loss, "real_logit": real.mean(), "fake_logit": fake.mean()}

    def wait(self) -> dict[str, Tensor]:
        """Return the result of `discriminate` before the start: a loss without any gradient."""
        zero = torch.stack([p.sum() for p in self.discriminator.parameters()]).sum() * 0.0
        absent = torch.full_like(zero.detach(), float("nan"))
        return {"loss": zero, "real_logit": absent, "fake_logit": absent}
