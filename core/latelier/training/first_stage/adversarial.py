"""The adversarial losses, and the weight that balances them (arXiv:2012.09841, eq. 6 and 7)."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

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
