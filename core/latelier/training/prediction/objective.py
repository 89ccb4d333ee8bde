"""The loss of a denoiser's predictions against the targets of its noise process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from latelier.checkpoints.component import Component
from latelier.contracts import frames
from latelier.contracts.components import Control, PictureGeometry, ScaledAdapter
from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError
from latelier.data.pictures import UnusableError
from latelier.nn.module import to_module_dict
from latelier.training.conditioning import Conditioning
from latelier.training.configs.denoiser import PredictionTraining
from latelier.training.objective import MODEL, Objective
from latelier.training.prediction.batches import collate_samples, geometry_of, to_latents
from latelier.training.prediction.densities import check_noise, default_noise, draw_sigmas
from latelier.training.prediction.levels import to_level
from latelier.training.prediction.losses import SampleLosses, denoising_loss
from latelier.training.prediction.parts import PredictionParts
from latelier.training.prediction.uncertainty import make_uncertainty
from latelier.training.prediction.weights import weigh_levels
from latelier.training.randomness import Draws, Purpose


@dataclass(frozen=True, eq=False)
class Example:
    """What the denoiser learns to predict: x0 and eps, from x = alpha * x0 + sigma * eps.

    Attributes:
        x: (B, C, h, w).
        x0: of the same shape.
        eps: of the same shape.
        sigmas: the noise level of each sample, float64 (B,).
    """

    x: Tensor
    x0: Tensor
    eps: Tensor
    sigmas: Tensor


class PredictionObjective(Objective):
    """The weighted squared error of a denoiser's prediction.

    Attributes:
        config: The training's configuration.
        process: The noise process.
        noise: The density of noise levels.
        conditioning: What makes conditions of data samples.
        uncertainty: The learned log-variance of the loss; None unless the configuration has it.
        adapters: Those that take part in every prediction, by name.
        adapter_strength: Their strength; 0 is the denoiser without them.

    Raises:
        CompatibilityError: the denoiser does not support gradient checkpointing, and the
            configuration asks for it.
        InvalidConfigError: a conditioner has a name that torch reserves, or the process does not
            have the levels of the density.
    """

    def __init__(self, parts: PredictionParts, config: PredictionTraining) -> None:
        super().__init__()
        _check_gradient_checkpointing(config, parts.denoiser)
        self.config = config
        self.process = parts.process
        self.noise = config.noise or default_noise(parts.process)
        check_noise(self.noise, parts.process)
        self.first_stage = parts.first_stage.module
        self.denoiser = parts.denoiser.module
        self.conditioners = to_module_dict(
            {name: component.module for name, component in parts.conditioners.items()}
        )
        self.conditioning = Conditioning(
            self.conditioners, parts.sources, config.drop_all, config.keep_one, config.seed
        )
        self.uncertainty = make_uncertainty(config.loss.uncertainty, config.seed)
        self.adapters = to_module_dict(parts.adapters)
        self.adapter_strength = 1.0
        self.trained = nn.ModuleDict(parts.trained)
        if self.uncertainty is not None:
            self.trained["uncertainty"] = self.uncertainty

    @property
    def device(self) -> torch.device:
        """The denoiser's device."""
        return next(self.denoiser.parameters()).device

    def list_fields(self) -> dict[str, int | None]:
        """Return the sample's fields that are read, each with its number of labels or None."""
        masks = {} if self.config.loss.unmasked_weight is None else {"mask": None}
        return {**self.conditioning.list_fields(), **masks}

    def prepare_samples(self, samples: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Check that samples can be used, and prepare them (see `Conditioning.prepare_samples`).

        Raises:
            UnusableError: a conditioner refuses one, or it lacks the mask that weighs its pixels.
        """
        weighs = self.config.loss.unmasked_weight is not None
        if weighs and not all("mask" in sample for sample in samples):
            raise UnusableError("it has no 'mask'")
        geometry = replace(self.make_geometry(samples[0]), first_stage=None)
        return [*self.conditioning.prepare_samples(samples, geometry)]

    def collate(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return a batch (see `collate_samples`) with "conditions" and "features"."""
        batch = collate_samples(samples, self.config.loss.unmasked_weight)
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
        draws = Draws(self.config.seed, step, batch["index"])
        latents = to_latents(batch, draws, self.first_stage)
        kept = self.conditioning.draw_kept(draws)
        condition = self.encode_condition(batch, kept)
        example = self.make_example(batch, latents, condition, kept, draws)
        # the prediction and its weighted error
        process, sigmas = self.process, example.sigmas
        prediction = self.predict(example.x, sigmas, condition)
        target = process.target(example.x0, example.eps, sigmas)
        losses = denoising_loss(prediction, target, batch.get("weight"))
        weighted = losses * weigh_levels(self.config.loss.weight, process, sigmas).to(losses)
        levels = to_level(sigmas, process)
        if self.uncertainty is None:
            return SampleLosses(weighted, weighted, levels)
        return SampleLosses(self.uncertainty(weighted, levels), weighted, levels)

    def make_example(
        self,
        batch: Mapping[str, Any],
        latents: Tensor,
        condition: Condition,  # noqa: ARG002
        kept: Mapping[str, Tensor],  # noqa: ARG002
        draws: Draws,
    ) -> Example:
        """Return the latents at a noise level of the density for each sample, and their noise.

        Args:
            batch: of the samples.
            latents: of their pictures, (B, C, h, w).
            condition: that the denoiser is given.
            kept: rows that keep each of its conditions.
            draws: random numbers of the step.
        """
        height, width = self.make_geometry(batch).latent_size
        sigmas = draw_sigmas(self.noise, self.process, draws, height * width)
        eps = draws.normal(Purpose.NOISE, latents.shape[1:], latents.device)
        return Example(self.process.noised(latents, eps, sigmas), latents, eps, sigmas)

    def predict(self, x: Tensor, sigmas: Tensor, condition: Condition) -> Tensor:
        """Return the denoiser's output for x (B, C, h, w) at `sigmas` (B,)."""
        t = self.process.timestep(sigmas).to(x.device)
        scale = self.process.input_scale(frames.per_image(sigmas, x))
        control = Control(
            gradient_checkpointing=self.config.gradient_checkpointing,
            adapters={
                name: ScaledAdapter(module, self.adapter_strength)
                for name, module in self.adapters.items()
            },
        )
        return self.denoiser(x * scale, t, condition, control)

    def predict_x0(self, condition: Condition, x: Tensor, sigmas: Tensor) -> Tensor:
        """Return x0 as the denoiser predicts it, for x (B, C, h, w) at `sigmas` (B,)."""
        return self.process.denoised(self.predict(x, sigmas, condition).to(x), x, sigmas)

    def encode_condition(self, batch: Mapping[str, Any], kept: Mapping[str, Tensor]) -> Condition:
        """Return the condition of a batch; null parts replace the rows that are not kept."""
        return self.conditioning.encode(batch, kept, self.make_geometry(batch), self.device)

    def make_geometry(self, batch: Mapping[str, Any]) -> PictureGeometry:
        """Return the geometry of the pictures of a batch or sample."""
        return geometry_of(batch, self.first_stage)


def _check_gradient_checkpointing(config: PredictionTraining, denoiser: Component) -> None:
    supported = "gradient_checkpointing" in denoiser.module.config.supports
    if config.gradient_checkpointing and not supported:
        raise CompatibilityError(
            f"gradient_checkpointing: the denoiser '{denoiser.id}' does not support it; "
            "set it to false"
        )
