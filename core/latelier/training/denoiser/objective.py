"""The loss of a denoiser and its conditioners, with sample sheets and export."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn
from typing_extensions import override

from latelier.checkpoints.component import (
    Component,
)
from latelier.diffusion.processes.kinds import process_from
from latelier.kernel.atelier import Atelier
from latelier.pipeline.composition import compose
from latelier.pipeline.pipeline import Pipeline
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.denoiser.prediction import PredictionObjective
from latelier.training.monitoring.sheets import split_rows, tile_images
from latelier.training.objective import MODEL

_SHEET_SCENES = 24
_SHEET_COLUMNS = 8


class DenoiserObjective(PredictionObjective):
    """The loss of a denoiser; the denoiser and its conditioners are trained."""

    config: DenoiserTraining

    def __init__(
        self,
        first_stage: Component,
        denoiser: Component,
        conditioners: Mapping[str, Component],
        config: DenoiserTraining,
        atelier: Atelier,
    ) -> None:
        process = process_from(config.process)
        super().__init__(first_stage, denoiser, conditioners, process, config.conditioners, config)
        self.trained = nn.ModuleDict({"denoiser": self.denoiser, "conditioners": self.conditioners})
        self._components = (first_stage, denoiser, conditioners)
        self._atelier = atelier

    @override
    def forward(self, batch: dict[str, Any], step: int, player: str = MODEL) -> dict[str, Tensor]:
        """Return the loss, averaged over samples."""
        return {"loss": self.compute_losses(batch, step, {}).mean()}

    def draw_sample_sheet(self) -> tuple[Image, dict[str, float]]:
        """Return pictures of held-out inputs, and "held_out_loss"."""
        inputs: dict[str, Any] = {
            choice.source: list(self.conditioning.augment(name, self.held_out[:_SHEET_SCENES]))
            for name, choice in self.config.conditioners.items()
        }
        loss = self(self.collate_held_out(), 0)["loss"]
        pictures = self._compose().generate(**inputs, seed=0)
        rows = split_rows([picture.image for picture in pictures], _SHEET_COLUMNS)
        return tile_images(rows, zoom=2), {"held_out_loss": float(loss)}

    def export(self, folder: Path) -> None:
        """Write the pipeline."""
        self._compose().save(folder)

    def _compose(self) -> Pipeline:
        first_stage, denoiser, conditioners = self._components
        inputs: dict[str, list[str]] = {}
        for name, choice in self.config.conditioners.items():
            inputs.setdefault(choice.source, []).append(name)
        height, width = self.held_out[0]["image"].shape[1:]
        return compose(
            first_stage=first_stage,
            denoiser=denoiser,
            process=self._process,
            conditioners=conditioners,
            inputs=inputs,
            defaults={"size": (width, height), **self.config.defaults},
            description=self.config.description,
            device=self.device,
            dtype=torch.float32,
            atelier=self._atelier,
        )
