"""How far a denoiser's predictions are from what its noise process asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from latelier.checkpoints.component import Component
from latelier.contracts import frames
from latelier.contracts.components import Control, PictureGeometry, ScaledAdapter
from latelier.contracts.errors import CompatibilityError
from latelier.denoisers.vectors import named_layers
from latelier.diffusion.processes.process import Process
from latelier.training.conditioning import Conditioning, moved
from latelier.training.config import InputSpec, PredictionTraining
from latelier.training.data import collated, scenes
from latelier.training.losses import denoising
from latelier.training.objective import Objective
from latelier.training.randomness import Draws, Purpose

_MEASURED_SCENES = 128


class Predicting(Objective):
    """The mean squared error of the prediction that a noise process asks for.

    specs: where the inputs of each conditioner come from; one without is always null.

    Raises:
        CompatibilityError: the denoiser cannot make its activations again, and is asked to.
        InvalidConfigError: a conditioner has a name that torch needs for itself.
    """

    def __init__(
        self,
        first_stage: Component,
        denoiser: Component,
        conditioners: Mapping[str, Component],
        process: Process,
        specs: Mapping[str, InputSpec],
        config: PredictionTraining,
    ) -> None:
        super().__init__()
        if (
            config.gradient_checkpointing
            and "gradient_checkpointing" not in denoiser.module.config.supports
        ):
            raise CompatibilityError(
                f"gradient_checkpointing: the denoiser '{denoiser.id}' does not support it; "
                "set it to false"
            )
        self.first_stage = first_stage.module
        self.denoiser = denoiser.module
        self.conditioners = named_layers(
            {name: component.module for name, component in conditioners.items()}
        )
        self._conditioning = Conditioning(self.conditioners, specs, config.drop_all, config.seed)
        self._process = process
        self._seed = config.seed
        self._gradient_checkpointing = config.gradient_checkpointing
        held_out = scenes(config.data, config.data.held_out_seed, _MEASURED_SCENES)
        self._held_out = [held_out[k] for k in range(_MEASURED_SCENES)]

    @property
    def device(self) -> torch.device:
        """Where the denoiser is."""
        device: torch.device = next(self.denoiser.parameters()).device
        return device

    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return images, indices, and what each conditioner prepared for its inputs."""
        batch = collated(samples)
        frame = replace(self._frame(batch["image"]), first_stage=None)
        batch["conditions"] = self._conditioning.prepared(samples, frame)
        return batch

    def losses(
        self, batch: Mapping[str, Any], step: int, adapters: Mapping[str, ScaledAdapter]
    ) -> Tensor:
        """Return the mean squared error (B,) for a batch, at times and noise of the step.

        Equation 2 of Rombach et al., arXiv:2112.10752, where the process asks for the noise.
        """
        process = self._process
        with torch.no_grad():
            latents = self.first_stage.encode(batch["image"]).float()
        draws = Draws(self._seed, step, batch["index"])
        condition = self._conditioning.condition(
            batch["conditions"], draws, self._frame(batch["image"]), latents.device
        )
        sigmas = process.sigma_from_uniform(draws.uniform(Purpose.TIME))
        eps = draws.normal(Purpose.NOISE, latents.shape[1:]).to(latents.device)
        x = process.noised(latents, eps, sigmas)
        t = process.timestep(sigmas).to(latents.device)
        scale = process.input_scale(frames.per_image(sigmas, x))
        control = Control(gradient_checkpointing=self._gradient_checkpointing, adapters=adapters)
        prediction = self.denoiser(x * scale, t, condition, control)
        return denoising(prediction, process.target(latents, eps, sigmas))

    def measured(self) -> dict[str, Any]:
        """Return the batch of held-out scenes that losses are measured on."""
        batch: dict[str, Any] = moved(self.collate(self._held_out), self.device)
        return batch

    def _frame(self, images: Tensor) -> PictureGeometry:
        height, width = images.shape[2:]
        f = self.first_stage.config.downsampling
        return PictureGeometry(
            (height, width), (height // f, width // f), first_stage=self.first_stage
        )
