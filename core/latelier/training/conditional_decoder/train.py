"""Conditional decoders: what a finished model's decoder adds of known pixels (arXiv:2306.04632)."""

from pathlib import Path

import torch
from torch import Tensor

from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.components import pin_components
from latelier.training.conditional_decoder.evaluator import ConditionalDecoderEvaluator
from latelier.training.conditional_decoder.objective import ConditionalDecoderObjective
from latelier.training.conditional_decoder.parts import DecoderParts, resolve_parts
from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.first_stage.losses.perceptual import check_side, load_perceptual
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult


def train_conditional_decoder(
    config: ConditionalDecoderTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a conditional decoder, and write the model with it to `config.out`/result.

    Raises:
        UnknownNameError: the model or an input is not found.
        CompatibilityError: the model's first stage cannot have a conditional decoder, or a
            conditioner that it names knows no pixels.
        ModelFileError: the model cannot be read.
        InvalidConfigError: the model has no conditional decoder and none is configured, the data
            lack what it is given, the model's sampler draws noise, another part of the
            configuration is invalid, or `out` and `resume` disagree.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_conditional_decoder(config, atelier), resume, atelier)


def plan_conditional_decoder(config: ConditionalDecoderTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a conditional decoder's training.

    Raises:
        LatelierError: see `train_conditional_decoder`.
    """
    samples = make_training_samples(config)
    parts = resolve_parts(config, samples, atelier)
    perceptual = None if config.perceptual is None else load_perceptual(config.perceptual)
    objective = ConditionalDecoderObjective(parts, config, perceptual)
    samples.check_fields(objective.conditioning.list_fields())
    _check_size(config, parts, samples[0]["image"])

    def initialize(out: Path, is_new: bool) -> None:
        samples.store_manifests(out)
        pin_components(out, is_new, parts.base.components())

    return TrainingPlan(
        config,
        ConditionalDecoderEvaluator(objective, parts),
        samples.with_preparation(objective.prepare_samples),
        initialize,
        samples.name_of,
        [describe_decoder(parts), *objective.conditioning.describe()],
    )


def describe_decoder(parts: DecoderParts) -> str:
    """Return what a conditional decoder is given, and its size."""
    count = sum(each.numel() for each in parts.decoder.parameters())
    names = ", ".join(parts.decoder.config.inputs)
    return f"conditional decoder with pixels of {names}: {count:,} parameters"


def _check_size(config: ConditionalDecoderTraining, parts: DecoderParts, image: Tensor) -> None:
    """Check that the first stage encodes pictures of a size, and that the loss takes them.

    Raises:
        InvalidInputError: the first stage cannot encode them.
        InvalidConfigError: the perceptual loss needs larger pictures.
    """
    with torch.no_grad():
        parts.base.first_stage.encode(torch.zeros_like(image[None]))
    if config.perceptual is not None:
        check_side(config.perceptual, *image.shape[1:])
