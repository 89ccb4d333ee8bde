"""The loss of a denoiser's predictions against the targets of its noise process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from latelier.checkpoints.component import Component
from latelier.contracts import frames
from latelier.contracts.components import Control, PictureGeometry, ScaledAdapter
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.processes.process import Process
from latelier.nn.module import to_module_dict
from latelier.training.conditioning import Conditioning, to_device
from latelier.training.configs.components import InputSource
from latelier.training.configs.denoiser import PredictionTraining
from latelier.training.data.datasets import collate, make_held_out_samples
from latelier.training.denoiser.losses import denoising_loss
from latelier.training.objective import Objective
from latelier.training.randomness import Draws, Purpose

_HELD_OUT_SCENES = 128


class PredictionObjective(Objective):
    """The mean squared error of a denoiser's prediction.

    Attributes:
        config: The training's configuration.
        conditioning: What makes conditions of data samples.
        held_out: Samples that training never uses, for metrics and sheets.

    Raises:
        CompatibilityError: the denoiser does not support gradient checkpointing, and the
            configuration asks for it.
        InvalidConfigError: a conditioner has a name that torch reserves.
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
        self.first_stage = first_stage.module
        self.denoiser = denoiser.module
        self.conditioners = to_module_dict(
            {name: component.module for name, component in conditioners.items()}
        )
        self.conditioning = Conditioning(self.conditioners, sources, config.drop_all, config.seed)
        samples = make_held_out_samples(config, _HELD_OUT_SCENES)
        self.held_out: list[dict[str, Any]] = [samples[k] for k in range(len(samples))]
        self._process = process

    @property
    def device(self) -> torch.device:
        """The denoiser's device."""
        return next(self.denoiser.parameters()).device

    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return images, indices, and "conditions": what each conditioner prepared."""
        batch = collate(samples)
        geometry = replace(self.make_geometry(batch["image"]), first_stage=None)
        batch["conditions"] = self.conditioning.prepare(samples, geometry)
        return batch

    def compute_losses(
        self, batch: Mapping[str, Any], step: int, adapters: Mapping[str, ScaledAdapter]
    ) -> Tensor:
        """Return the mean squared error of each sample (B,), at the times and noise of a step.

        This is equation 2 of Rombach et al., arXiv:2112.10752, if the process predicts the noise.
        """
        process = self._process
        # latents of the images, and their condition
        with torch.no_grad():
            latents = self.first_stage.encode(batch["image"]).float()
        draws = Draws(self.config.seed, step, batch["index"])
        geometry = self.make_geometry(batch["image"])
        condition = self.conditioning.encode(batch["conditions"], draws, geometry, latents.device)
        # a time and noise for each sample
        sigmas = process.sigma_from_uniform(draws.uniform(Purpose.TIME))
        eps = draws.normal(Purpose.NOISE, latents.shape[1:], latents.device)
        x = process.noised(latents, eps, sigmas)
        # the prediction
        t = process.timestep(sigmas).to(latents.device)
        scale = process.input_scale(frames.per_image(sigmas, x))
        control = Control(
            gradient_checkpointing=self.config.gradient_checkpointing, adapters=adapters
        )
        prediction = self.denoiser(x * scale, t, condition, control)
        return denoising_loss(prediction, process.target(latents, eps, sigmas))

    def collate_held_out(self) -> dict[str, Any]:
        """Return the batch of all held-out samples, on the denoiser's device."""
        return to_device(self.collate(self.held_out), self.device)

    def make_geometry(self, images: Tensor) -> PictureGeometry:
        """Return the geometry of images (B, 3, H, W)."""
        height, width = images.shape[2:]
        f = self.first_stage.config.downsampling
        return PictureGeometry(
            (height, width), (height // f, width // f), first_stage=self.first_stage
        )


def _check_gradient_checkpointing(config: PredictionTraining, denoiser: Component) -> None:
    supported = "gradient_checkpointing" in denoiser.module.config.supports
    if config.gradient_checkpointing and not supported:
        raise CompatibilityError(
            f"gradient_checkpointing: the denoiser '{denoiser.id}' does not support it; "
            "set it to false"
        )
