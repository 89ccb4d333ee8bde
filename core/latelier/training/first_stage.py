"""Stage one: an autoencoder, trained to reconstruct images (arXiv:2112.10752, section 3.1)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from latelier.checkpoints.component import Component, new_component, save_component
from latelier.contracts.errors import CompatibilityError
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.config import FirstStageTraining
from latelier.training.data import collated, scenes
from latelier.training.loop import Resume, TrainingResult, begin, train
from latelier.training.losses import TERMS, kl_divergence
from latelier.training.objective import Objective
from latelier.training.randomness import Draws, Purpose, seeded
from latelier.training.sheets import grid, pictures

_FIRST_LOGVAR = -6.0
"""Log-variance of an untrained posterior. With torch's own initialisation it would be about 0, ten
times the spread of the means, and the first hundreds of steps would go by on noise."""

_SHEET_SCENES = 64
_SHEET_COLUMNS = 8


def train_first_stage(
    config: FirstStageTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a first stage, and leave it as a component folder in `config.out`/result.

    Raises:
        UnknownNameError: nobody registered the first stage.
        CompatibilityError: it has no Gaussian posterior, which this training needs.
        InvalidConfigError: a part of the configuration is wrong, or `out` and `resume` disagree.
    """
    atelier = atelier or default_atelier()
    spec = config.first_stage
    with seeded(config.seed, 0, torch.device("cpu")):
        component = new_component("first_stage", spec.id, spec.config, atelier)
    if not isinstance(component.module, AutoencoderKL):
        raise CompatibilityError(
            f"first stage '{component.id}' has no Gaussian posterior to train: "
            "'latelier/autoencoder_kl' has"
        )
    with torch.no_grad():
        component.module.state_dict()["quant_conv.bias"].chunk(2)[1].fill_(_FIRST_LOGVAR)
    dataset = scenes(config.data, config.data.seed, config.steps * config.batch_size)
    start = begin(config, resume)
    return train(Reconstruction(component, config), dataset, config, start, atelier)


class Reconstruction(Objective):
    """The loss of a KL-regularised autoencoder: a weighted sum of named terms."""

    def __init__(self, component: Component, config: FirstStageTraining) -> None:
        super().__init__()
        self.autoencoder: AutoencoderKL = component.module
        self.trained = self.autoencoder
        self._component = component
        self._config = config

    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return images (B, 3, H, W) and indices."""
        return collated(samples)

    def forward(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return the loss and its terms."""
        images = batch["image"]
        mean, logvar = (each.float() for each in self.autoencoder.posterior(images))
        draws = Draws(self._config.seed, step, batch["index"])
        noise = draws.normal(Purpose.POSTERIOR, mean.shape[1:]).to(mean.device)
        latents = mean + torch.exp(0.5 * logvar) * noise
        scale = self.autoencoder.config.scale_factor
        reconstructions = self.autoencoder.decode(latents * scale).float()
        kl = kl_divergence(mean, logvar)
        loss = self._config.kl_weight * kl
        values: dict[str, Tensor] = {}
        for name, weight in self._config.terms.items():
            values[name] = TERMS[name](reconstructions, images)
            loss = loss + weight * values[name]
        return {"loss": loss, **values, "kl": kl}

    def sheet(self) -> tuple[Image, dict[str, float]]:
        """Return held-out images above their reconstructions, and the PSNR in dB over them."""
        images = self._held_out(_SHEET_SCENES)
        reconstructions = self.autoencoder.decode(self.autoencoder.encode(images)).clamp(-1, 1)
        errors = (reconstructions - images).square().flatten(1).mean(1)
        measured = {
            "psnr": float((10 * torch.log10(4 / errors)).mean()),
            "absolute": float((reconstructions - images).abs().mean()),
        }
        originals, copies = pictures(images), pictures(reconstructions)
        rows = []
        for first in range(0, len(originals) // 2, _SHEET_COLUMNS):
            for each in (originals, copies):
                rows.append(each[first : first + _SHEET_COLUMNS])
        return grid(rows, zoom=2), measured

    def export(self, folder: Path) -> None:
        """Write the autoencoder with the scale factor that gives its latents unit variance."""
        deviation = self._latents().std().item()
        config = self.autoencoder.config
        scaled = AutoencoderKL(
            config.model_copy(update={"scale_factor": config.scale_factor / deviation})
        )
        scaled.load_state_dict(self.autoencoder.state_dict())
        save_component(folder, replace(self._component, module=scaled))

    def _latents(self) -> Tensor:
        images = self._held_out(self._config.measured_scenes)
        parts = [images[first : first + 64] for first in range(0, len(images), 64)]
        return torch.cat([self.autoencoder.encode(part) for part in parts])

    def _held_out(self, count: int) -> Tensor:
        data = self._config.data
        dataset = scenes(data, data.held_out_seed, count)
        images: Tensor = collated([dataset[k] for k in range(count)])["image"]
        return images.to(next(self.autoencoder.parameters()).device)
