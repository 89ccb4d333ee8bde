"""Stage one: an autoencoder, trained to reconstruct images (arXiv:2112.10752, section 3.1)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from latelier.checkpoints.component import Component, new_component
from latelier.contracts.errors import InvalidConfigError
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.components import copy_weights, load_first_stage
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.first_stage.description import describe_training
from latelier.training.first_stage.evaluator import AutoencoderEvaluator
from latelier.training.first_stage.images import load_training
from latelier.training.first_stage.losses.discriminator import check_field
from latelier.training.first_stage.losses.equivariance import check_divisible
from latelier.training.first_stage.losses.perceptual import check_side, load_perceptual
from latelier.training.first_stage.losses.regularization import make_regularization
from latelier.training.first_stage.objective import AutoencoderObjective
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.randomness import seed_torch

_CPU = torch.device("cpu")

_CODE_IMAGES = 64
"""Training images whose latents the first codes are drawn from."""

_INITIAL_LOGVAR = -6.0
"""Log-variance of an untrained posterior. Torch's own initialisation gives about 0, ten times the
spread of the means, and the first hundreds of steps would see little but noise."""


def train_first_stage(
    config: FirstStageTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a first stage and write it as a component folder to `config.out`/result.

    Raises:
        UnknownNameError: the first stage is not registered, or the model to start from not found.
        CompatibilityError: the first stage is neither a KL nor a VQ autoencoder.
        ModelFileError: a file of weights cannot be read, or is of another network.
        InvalidConfigError: a part of the configuration is invalid, or `out` and `resume` disagree.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_first_stage(config, atelier), resume, atelier)


def plan_first_stage(config: FirstStageTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a first stage's training.

    Raises:
        LatelierError: see `train_first_stage`.
    """
    dataset = make_training_samples(config)
    code_images = list[Tensor]()
    if config.codebook_start is not None:
        code_images = list(load_training(config, _CODE_IMAGES, _CPU))
    with seed_torch(config.seed, 0, _CPU):
        component = make_autoencoder(config, atelier)
        perceptual = None if config.perceptual is None else load_perceptual(config.perceptual)
        regularization = make_regularization(component.module, config, code_images)
        objective = AutoencoderObjective(component.module, regularization, perceptual, config)
    height, width = dataset[0]["image"].shape[1:]
    check_sizes(config, component.module, height, width)

    def initialize(out: Path, is_new: bool) -> None:  # noqa: ARG001 - it has its weights
        dataset.store_manifests(out)

    return TrainingPlan(
        config,
        AutoencoderEvaluator(objective, component),
        dataset,
        initialize,
        dataset.name_of,
        list(describe_training(component, config, regularization)),
    )


def make_autoencoder(config: FirstStageTraining, atelier: Atelier) -> Component:
    """Return a new first stage, with the weights of `start_from` if there is one.

    Raises:
        InvalidConfigError: the weights of `start_from` do not fit `first_stage`, or the latents
            should stay as they are and would not.
        LatelierError: see `train_first_stage`.
    """
    choice = config.first_stage
    if config.start_from is None:
        assert choice is not None
        component = new_component("first_stage", choice.id, choice.config, atelier)
        if isinstance(component.module, AutoencoderKL):
            _lower_logvar(component.module)
        return component
    source = load_first_stage("start_from", config.start_from, atelier)
    chosen = choice or source
    component = new_component("first_stage", chosen.id, chosen.config, atelier)
    if config.keeps_latents and component.config != source.config:
        raise InvalidConfigError(
            f"decoder_only from step 0 on keeps the latents of '{config.start_from}', and "
            "first_stage is configured otherwise; leave first_stage out"
        )
    copy_weights("first_stage", component, source, config.start_from)
    return component


def check_sizes(
    config: FirstStageTraining, autoencoder: nn.Module, height: int, width: int
) -> None:
    """Check that the losses can be computed on images of a size.

    Raises:
        InvalidInputError: the autoencoder cannot encode them.
        InvalidConfigError: a loss needs larger images.
    """
    with torch.no_grad():
        latents = autoencoder.encode(torch.zeros(1, 3, height, width))  # type: ignore[operator]
    if config.perceptual is not None:
        check_side(config.perceptual, height, width)
    if config.adversarial is not None:
        check_field(config.adversarial.discriminator, height, width)
    if config.equivariance is not None:
        check_divisible(config.equivariance, *latents.shape[2:])


@torch.no_grad()
def _lower_logvar(autoencoder: AutoencoderKL) -> None:
    last = "quant_conv" if autoencoder.config.use_quant_conv else "encoder.conv_out"
    autoencoder.state_dict()[f"{last}.bias"].chunk(2)[1].fill_(_INITIAL_LOGVAR)
