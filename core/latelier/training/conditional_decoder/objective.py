"""The loss of a conditional decoder: how far its pictures are from those that were redrawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from latelier.contracts.components import PictureGeometry
from latelier.first_stages.conditional_decoder import ConditionalDecoder
from latelier.nn.module import to_module_dict
from latelier.training.conditional_decoder.parts import DecoderParts
from latelier.training.conditioning import Conditioning
from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining
from latelier.training.first_stage.losses.reconstruction import ReconstructionLoss
from latelier.training.guided_model import GuidedModel
from latelier.training.objective import MODEL, Objective
from latelier.training.prediction.batches import collate_samples, geometry_of
from latelier.training.randomness import Draws, Purpose


@dataclass(frozen=True, eq=False)
class Redrawn:
    """Pictures that the model has noised, denoised and decoded.

    Attributes:
        images: (B, 3, H, W), about in [-1, 1].
        known: what inputs know of the pixels, (B, 4 K, H, W).
    """

    images: Tensor
    known: Tensor


class ConditionalDecoderObjective(Objective):
    """The reconstruction loss of redrawn pictures.

    Attributes:
        config: The training's configuration.
        conditioning: What makes conditions of data samples.
        trained: The conditional decoder.
        reconstruction: The reconstruction loss.
    """

    def __init__(
        self, parts: DecoderParts, config: ConditionalDecoderTraining, perceptual: nn.Module | None
    ) -> None:
        super().__init__()
        base = parts.base
        self.config = config
        self.first_stage = base.first_stage_component.module
        self.denoiser = base.denoiser_component.module
        self.conditioners = to_module_dict(
            {name: each.module for name, each in base.conditioner_components.items()}
        )
        self.conditioning = Conditioning(
            self.conditioners, parts.sources, config.drop_all, config.keep_one, config.seed
        )
        weight = config.perceptual.weight if config.perceptual else 1.0
        self.reconstruction = ReconstructionLoss(config.terms, perceptual, weight)
        self.trained: ConditionalDecoder = parts.decoder
        self._process = base.process
        self._guided = GuidedModel(base, config.guidance)

    def prepare_samples(self, samples: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Check that samples can be used, and prepare them (see `Conditioning.prepare_samples`).

        Raises:
            UnusableError: a conditioner refuses one.
        """
        return [*self.conditioning.prepare_samples(samples, self._geometry(samples[0], None))]

    def collate(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return "image" (B, 3, H, W) in [-1, 1], "index", and "conditions" by their names."""
        batch = collate_samples(samples)
        batch["conditions"] = self.conditioning.prepare(samples, self._geometry(batch, None))
        return {**batch, "features": {}}

    @override
    def forward(self, batch: dict[str, Any], step: int, player: str = MODEL) -> dict[str, Tensor]:
        """Return the loss and its terms."""
        draws = Draws(self.config.seed, step, batch["index"])
        share = Draws(draws.seed, step, [0]).uniform(Purpose.TIME).item()
        kept = self.conditioning.draw_kept(draws)
        redrawn = self.redraw(batch, kept, draws, int(share * (self.config.most_steps + 1)))
        result = self.trained(redrawn.images, redrawn.known).float()
        loss, terms = self.reconstruction(result, batch["image"])
        return {"loss": loss, **terms}

    @torch.no_grad()
    def redraw(
        self, batch: Mapping[str, Any], kept: Mapping[str, Tensor], draws: Draws, steps: int
    ) -> Redrawn:
        """Return the pictures of a batch after the last steps of the model.

        Args:
            batch: of the samples.
            kept: rows that keep each condition.
            draws: random numbers of the step.
            steps: number of the model's last steps; 0: the pictures are only encoded and decoded.
        """
        images: Tensor = batch["image"]
        geometry = self._geometry(batch, self.first_stage)
        latents: Tensor = self.first_stage.encode(images).float()
        if steps > 0:
            sigmas = self._guided.schedule(self.config.denoising_steps, geometry).last(steps)
            eps = draws.normal(Purpose.NOISE, latents.shape[1:], latents.device)
            condition, negative = (
                self.conditioning.encode(each, kept, geometry, images.device)
                for each in (batch, self.conditioning.negative_batch(batch))
            )
            noised = self._process.noised(latents, eps, sigmas[0])
            latents = self._guided.sample(noised, condition, negative, sigmas)
        decoded: Tensor = self.first_stage.decode(latents).float()
        return Redrawn(decoded, self._gather_known(batch, kept, geometry))

    def _gather_known(
        self, batch: Mapping[str, Any], kept: Mapping[str, Tensor], geometry: PictureGeometry
    ) -> Tensor:
        """Return what the inputs that are kept know of the pixels, (B, 4 K, H, W)."""
        found = []
        for name in self.trained.config.inputs:
            conditioner: Any = self.conditioners[name]
            known = conditioner.known_pixels(batch["conditions"][name], geometry)
            found.append(known * kept[name].to(known)[:, None, None, None])
        return torch.cat(found, dim=1)

    def _geometry(self, batch: Mapping[str, Any], first_stage: Any) -> PictureGeometry:
        return replace(geometry_of(batch, self.first_stage), first_stage=first_stage)
