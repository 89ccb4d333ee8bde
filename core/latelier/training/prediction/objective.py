"""The loss of a denoiser's predictions against the targets of its noise process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from latelier.checkpoints.component import Component
from latelier.contracts import frames
from latelier.contracts.components import Control, PictureGeometry, ScaledAdapter
from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.processes.process import Process
from latelier.nn.module import to_module_dict
from latelier.training.conditioning import Conditioning, to_device
from latelier.training.configs.components import InputSource
from latelier.training.configs.denoiser import PredictionTraining
from latelier.training.data.datasets import make_held_out_samples
from latelier.training.objective import MODEL, Objective
from latelier.training.prediction.batches import collate_samples, geometry_of, to_latents
from latelier.training.prediction.densities import check_noise, default_noise, draw_sigmas
from latelier.training.prediction.description import describe_loss, describe_noise
from latelier.training.prediction.levels import to_level
from latelier.training.prediction.losses import SampleLosses, denoising_loss
from latelier.training.prediction.uncertainty import make_uncertainty
from latelier.training.prediction.validation import LevelErrors, split_by_size
from latelier.training.prediction.weights import weigh_levels
from latelier.training.randomness import Draws, Purpose


class PredictionObjective(Objective):
    """The weighted squared error of a denoiser's prediction.

    Attributes:
        config: The training's configuration.
        process: The noise process.
        noise: The density of noise levels.
        conditioning: What makes conditions of data samples.
        geometry: That of held-out pictures, which is that of training unless it has buckets.
        uncertainty: The learned log-variance of the loss; None unless the configuration has it.

    Raises:
        CompatibilityError: the denoiser does not support gradient checkpointing, and the
            configuration asks for it.
        InvalidConfigError: a conditioner has a name that torch reserves, or the process does not
            have the levels of the density.
    """

    def __init__(
        self,
        first_stage: Component,
        denoiser: Component,
        conditioners: Mapping[str, Component],
        process: Process,
        sources: Mapping[str, InputSource],
        config: PredictionTraining,
    ) -> None:
        super().__init__()
        _check_gradient_checkpointing(config, denoiser)
        self.config = config
        self.process = process
        self.noise = config.noise or default_noise(process)
        check_noise(self.noise, process)
        self.first_stage = first_stage.module
        self.denoiser = denoiser.module
        self.conditioners = to_module_dict(
            {name: component.module for name, component in conditioners.items()}
        )
        self.conditioning = Conditioning(
            self.conditioners, sources, config.drop_all, config.keep_one, config.seed
        )
        self.uncertainty = make_uncertainty(config.loss.uncertainty, config.seed)
        self._held_out = make_held_out_samples(config, config.validation.samples)
        self.geometry = self.make_geometry(self._held_out[0])

    @cached_property
    def held_out(self) -> list[dict[str, Any]]:
        """Samples that training never uses, for validation and sheets."""
        samples = self._held_out.with_preparation(self.prepare_sample)
        return [samples[k] for k in range(len(samples))]

    def prepare_sample(self, sample: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check that the conditioners can use a sample; see `Conditioning.prepare_sample`.

        Raises:
            UnusableError: a conditioner refuses it.
        """
        geometry = replace(self.make_geometry(sample), first_stage=None)
        return self.conditioning.prepare_sample(sample, geometry)

    @property
    def device(self) -> torch.device:
        """The denoiser's device."""
        return next(self.denoiser.parameters()).device

    def collect_trained(self, modules: Mapping[str, nn.Module]) -> nn.ModuleDict:
        """Return what is trained: modules by name, and the loss's uncertainty if it has one."""
        if self.uncertainty is not None:
            modules = {**modules, "uncertainty": self.uncertainty}
        return nn.ModuleDict(modules)

    def attach_adapters(self) -> Mapping[str, ScaledAdapter]:
        """Return the adapters that take part in every prediction, by name."""
        return {}

    def collate(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return a batch (see `collate_samples`) with "conditions" and "features"."""
        batch = collate_samples(samples)
        geometry = replace(self.make_geometry(batch), first_stage=None)
        batch["conditions"] = self.conditioning.prepare(samples, geometry)
        batch["features"] = self.conditioning.stack_features(samples)
        return batch

    @override
    def forward(self, batch: dict[str, Any], step: int, player: str = MODEL) -> dict[str, Tensor]:
        """Return the loss, averaged over samples, and the error of each bin of noise levels."""
        return self.compute_losses(batch, step).summarize()

    def compute_losses(self, batch: Mapping[str, Any], step: int) -> SampleLosses:
        """Return the loss of each sample, at the noise levels and the noise of a step.

        This is equation 2 of Rombach et al., arXiv:2112.10752, if the process predicts the noise
        and the weight is uniform.
        """
        process, geometry = self.process, self.make_geometry(batch)
        # latents of the images, and their condition
        draws = Draws(self.config.seed, step, batch["index"])
        latents = to_latents(batch, draws, self.first_stage)
        kept = self.conditioning.draw_kept(draws)
        condition = self._encode_condition(batch, kept, geometry)
        # a noise level and noise for each sample
        height, width = geometry.latent_size
        sigmas = draw_sigmas(self.noise, process, draws, height * width)
        eps = draws.normal(Purpose.NOISE, latents.shape[1:], latents.device)
        # the prediction and its weighted error
        prediction = self.predict(process.noised(latents, eps, sigmas), sigmas, condition)
        target = process.target(latents, eps, sigmas)
        losses = denoising_loss(prediction, target, batch.get("weight"))
        weighted = losses * weigh_levels(self.config.loss.weight, process, sigmas).to(losses)
        levels = to_level(sigmas, process)
        if self.uncertainty is None:
            return SampleLosses(weighted, weighted, levels)
        return SampleLosses(self.uncertainty(weighted, levels), weighted, levels)

    def predict(self, x: Tensor, sigmas: Tensor, condition: Condition) -> Tensor:
        """Return the denoiser's output for x (B, C, h, w) at `sigmas` (B,)."""
        t = self.process.timestep(sigmas).to(x.device)
        scale = self.process.input_scale(frames.per_image(sigmas, x))
        control = Control(
            gradient_checkpointing=self.config.gradient_checkpointing,
            adapters=self.attach_adapters(),
        )
        return self.denoiser(x * scale, t, condition, control)

    def validate(self) -> dict[str, float]:
        """Return the errors of x0 at fixed noise levels, with every condition (see `LevelErrors`).

        No number of it depends on the seed of the run.
        """
        errors = LevelErrors(self.config.validation.levels, self.process)
        for samples in split_by_size(self.held_out, self.config.batch_size):
            batch = to_device(self.collate(samples), self.device)
            draws = Draws(0, 0, batch["index"])
            latents = to_latents(batch, draws, self.first_stage)
            kept = self.conditioning.keep_all(len(samples))
            condition = self._encode_condition(batch, kept, self.make_geometry(batch))
            eps = draws.normal(Purpose.NOISE, latents.shape[1:], latents.device)
            errors.add(latents, eps, partial(self._predict_x0, condition))
        return errors.summarize()

    def describe(self) -> list[str]:
        """Return the prediction, its weight, the share of each bin of levels, the conditions."""
        loss = describe_loss(self.process, self.config.loss.weight)
        noise = describe_noise(self.noise, self.process, self.geometry)
        return [loss, noise, *self.conditioning.describe()]

    def make_geometry(self, batch: Mapping[str, Any]) -> PictureGeometry:
        """Return the geometry of the pictures of a batch or sample."""
        return geometry_of(batch, self.first_stage)

    def _predict_x0(self, condition: Condition, x: Tensor, sigmas: Tensor) -> Tensor:
        return self.process.denoised(self.predict(x, sigmas, condition).to(x), x, sigmas)

    def _encode_condition(
        self, batch: Mapping[str, Any], kept: Mapping[str, Tensor], geometry: PictureGeometry
    ) -> Condition:
        return self.conditioning.encode(batch, kept, geometry, self.device)


def _check_gradient_checkpointing(config: PredictionTraining, denoiser: Component) -> None:
    supported = "gradient_checkpointing" in denoiser.module.config.supports
    if config.gradient_checkpointing and not supported:
        raise CompatibilityError(
            f"gradient_checkpointing: the denoiser '{denoiser.id}' does not support it; "
            "set it to false"
        )
