"""The loss of an autoencoder, with sample sheets and export."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from typing_extensions import override

from latelier.checkpoints.component import Component, save_component
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.data.datasets import collate, make_held_out_samples
from latelier.training.first_stage.reconstruction import TERMS
from latelier.training.first_stage.regularization import kl_divergence
from latelier.training.monitoring.sheets import split_rows, tile_images
from latelier.training.objective import MODEL, Objective
from latelier.training.randomness import Draws, Purpose

_SHEET_SCENES = 64
_SHEET_COLUMNS = 8


class ReconstructionObjective(Objective):
    """The loss of a KL-regularised autoencoder: a weighted sum of the terms of `losses`."""

    def __init__(self, component: Component, config: FirstStageTraining) -> None:
        super().__init__()
        self.autoencoder: AutoencoderKL = component.module
        self.trained = self.autoencoder
        self._component = component
        self._config = config

    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return images (B, 3, H, W) and indices."""
        return collate(samples)

    @override
    def forward(self, batch: dict[str, Any], step: int, player: str = MODEL) -> dict[str, Tensor]:
        """Return the loss and its terms."""
        images = batch["image"]
        # a sample of the posterior
        mean, logvar = (each.float() for each in self.autoencoder.posterior(images))
        draws = Draws(self._config.seed, step, batch["index"])
        noise = draws.normal(Purpose.POSTERIOR, mean.shape[1:], mean.device)
        latents = mean + torch.exp(0.5 * logvar) * noise
        # its reconstruction
        scale = self.autoencoder.config.scale_factor
        reconstructions = self.autoencoder.decode(latents * scale).float()
        # the weighted terms
        kl = kl_divergence(mean, logvar)
        loss = self._config.kl_weight * kl
        terms: dict[str, Tensor] = {}
        for name, weight in self._config.terms.items():
            terms[name] = TERMS[name](reconstructions, images)
            loss = loss + weight * terms[name]
        return {"loss": loss, **terms, "kl": kl}

    def draw_sample_sheet(self) -> tuple[Image, dict[str, float]]:
        """Return rows of held-out images, each above its reconstructions, and their errors.

        The metrics are "psnr" in dB, averaged over images, and "absolute", the mean absolute error.
        """
        images = self._load_held_out(_SHEET_SCENES)
        reconstructions = self.autoencoder.decode(self.autoencoder.encode(images)).clamp(-1, 1)
        errors = (reconstructions - images).square().flatten(1).mean(1)
        metrics = {
            "psnr": float((10 * torch.log10(4 / errors)).mean()),
            "absolute": float((reconstructions - images).abs().mean()),
        }
        shown = _SHEET_SCENES // 2
        originals = split_rows(tensor_to_pil(images[:shown]), _SHEET_COLUMNS)
        copies = split_rows(tensor_to_pil(reconstructions[:shown]), _SHEET_COLUMNS)
        rows = [row for pair in zip(originals, copies, strict=True) for row in pair]
        return tile_images(rows, zoom=2), metrics

    def export(self, folder: Path) -> None:
        """Write the autoencoder with the scale factor that gives its latents unit variance."""
        std = self._encode_held_out().std().item()
        config = self.autoencoder.config
        scaled = AutoencoderKL(
            config.model_copy(update={"scale_factor": config.scale_factor / std})
        )
        scaled.load_state_dict(self.autoencoder.state_dict())
        save_component(folder, replace(self._component, module=scaled))

    def _encode_held_out(self) -> Tensor:
        images = self._load_held_out(self._config.measured_scenes)
        return torch.cat([self.autoencoder.encode(part) for part in torch.split(images, 64)])

    def _load_held_out(self, count: int) -> Tensor:
        samples = make_held_out_samples(self._config, count)
        images: Tensor = collate([samples[k] for k in range(len(samples))])["image"]
        return images.to(next(self.autoencoder.parameters()).device)
