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
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.configs.trainings import FirstStageTraining
from latelier.training.data import collate, make_dataset
from latelier.training.loop import Resume, TrainingResult, prepare_run, train
from latelier.training.objectives.losses import TERMS, kl_divergence
from latelier.training.objectives.objective import Objective
from latelier.training.randomness import Draws, Purpose, seed_torch
from latelier.training.sheets import split_rows, tile_images

_INITIAL_LOGVAR = -6.0
"""Log-variance of an untrained posterior. Torch's own initialisation gives about 0, ten times the
spread of the means, and the first hundreds of steps would see little but noise."""

_SHEET_SCENES = 64
_SHEET_COLUMNS = 8


def train_first_stage(
    config: FirstStageTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a first stage and write it as a component folder to `config.out`/result.

    Raises:
        UnknownNameError: the first stage is not registered.
        CompatibilityError: the first stage has no Gaussian posterior, which this training needs.
        InvalidConfigError: a part of the configuration is invalid, or `out` and `resume` disagree.
    """
    atelier = atelier or default_atelier()
    choice = config.first_stage
    with seed_torch(config.seed, 0, torch.device("cpu")):
        component = new_component("first_stage", choice.id, choice.config, atelier)
    if not isinstance(component.module, AutoencoderKL):
        raise CompatibilityError(
            f"first stage '{component.id}' has no Gaussian posterior to train; "
            "use 'latelier/autoencoder_kl'"
        )
    with torch.no_grad():
        component.module.state_dict()["quant_conv.bias"].chunk(2)[1].fill_(_INITIAL_LOGVAR)
    dataset = make_dataset(config.data, config.data.seed, config.steps * config.batch_size)
    checkpoint = prepare_run(config, resume)
    return train(ReconstructionObjective(component, config), dataset, config, checkpoint, atelier)


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

    def forward(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return the loss and its terms."""
        images = batch["image"]
        # a sample of the posterior
        mean, logvar = (each.float() for each in self.autoencoder.posterior(images))
        draws = Draws(self._config.seed, step, batch["index"])
        noise = draws.normal(Purpose.POSTERIOR, mean.shape[1:]).to(mean.device)
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
        data = self._config.data
        dataset = make_dataset(data, data.held_out_seed, count)
        images: Tensor = collate([dataset[k] for k in range(count)])["image"]
        return images.to(next(self.autoencoder.parameters()).device)
