"""What a first stage is trained with, in lines for the start of a run and a dry run."""

from collections.abc import Iterator

from torch import nn

from latelier.checkpoints.component import Component
from latelier.training.configs.first_stage import FirstStageTraining, first_step
from latelier.training.first_stage.losses.discriminator import receptive_field
from latelier.training.first_stage.losses.regularization import Regularization


def describe_training(
    component: Component, config: FirstStageTraining, regularization: Regularization
) -> Iterator[str]:
    """Yield a line for the autoencoder, one for its losses, and one for each later change."""
    module, steps = component.module, config.steps
    yield (
        f"{component.id}: {_count_weights(module)} weights, latents of "
        f"{module.config.latent_channels} channels at 1/{module.config.downsampling} of the sides"
    )
    terms = [f"{weight:g} {name}" for name, weight in config.terms.items()]
    if config.perceptual is not None:
        terms.append(f"{config.perceptual.weight:g} perceptual ({config.perceptual.network})")
    terms.append(regularization.describe())
    if config.equivariance is not None:
        share = f"{config.equivariance.share:.0%} of the steps"
        terms.append(f"{config.equivariance.weight:g} equivariance ({share})")
    yield "loss: " + " + ".join(terms)
    if config.adversarial is not None:
        adversarial = config.adversarial
        yield (
            f"from step {first_step(adversarial.start, steps)}: {adversarial.weight:g} adversarial "
            f"({adversarial.loss}), on patches of "
            f"{receptive_field(adversarial.discriminator.layers)} pixels"
        )
    if config.decoder_only is not None:
        yield (
            f"from step {first_step(config.decoder_only.start, steps)}: only the decoder learns, "
            f"from latents with noise up to {config.decoder_only.noise:g}"
        )


def _count_weights(module: nn.Module) -> str:
    count = sum(parameter.numel() for parameter in module.parameters())
    return f"{count / 1e6:.2f} million"
