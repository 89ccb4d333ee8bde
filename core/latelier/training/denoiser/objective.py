"""The loss of a denoiser and its conditioners, with sample sheets and export."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import nn

from latelier.kernel.atelier import Atelier
from latelier.pipeline.composition import compose
from latelier.pipeline.pipeline import Pipeline
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.denoiser.components import ModelParts
from latelier.training.monitoring.sheets import split_rows, tile_images
from latelier.training.prediction.objective import PredictionObjective

_SHEET_SCENES = 24
_SHEET_COLUMNS = 8


class DenoiserObjective(PredictionObjective):
    """The loss of a denoiser; the denoiser and its conditioners, unless frozen, are trained."""

    config: DenoiserTraining

    def __init__(self, parts: ModelParts, config: DenoiserTraining, atelier: Atelier) -> None:
        super().__init__(
            parts.first_stage,
            parts.denoiser,
            parts.conditioners,
            parts.process,
            parts.sources,
            config,
        )
        self._trained_conditioners = nn.ModuleDict(
            {
                name: module
                for name, module in self.conditioners.items()
                if name not in config.conditioners or not config.conditioners[name].frozen
            }
        )
        self.trained = self.collect_trained(
            {"denoiser": self.denoiser, "conditioners": self._trained_conditioners}
        )
        self._parts = parts
        self._atelier = atelier
        self._compose()  # raises now if a default is invalid, not at the first sheet

    def draw_sample_sheet(self) -> tuple[Image, dict[str, float]]:
        """Return pictures of held-out inputs; they have no metrics."""
        samples = self.held_out[:_SHEET_SCENES]
        inputs = self.read_inputs(samples)
        count = None if inputs else len(samples)
        pictures = self._compose().generate(**inputs, n=count, seed=0)
        rows = split_rows([picture.image for picture in pictures], _SHEET_COLUMNS)
        return tile_images(rows, zoom=2), {}

    def read_inputs(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the arguments of `generate` that samples have, each with a value for a row."""
        given = {
            name: list(self.conditioning.augment(name, samples))
            for name in self.conditioning.sources
        }
        inputs: dict[str, Any] = {}
        for public, names in self._parts.inputs.items():
            known = [name for name in names if name in given]
            if known:
                inputs[public] = given[known[0]]
        for name, values in given.items():
            if self._parts.conditioners[name].module.config.is_inpainting:
                inputs["init_image"] = [value.image for value in values]
                inputs["mask"] = [value.mask for value in values]
        return inputs

    def export(self, folder: Path) -> None:
        """Write the pipeline."""
        self._compose().save(folder)

    def describe(self) -> list[str]:
        """Return what a prediction's objective does, and what is frozen."""
        frozen = [name for name in self.conditioners if name not in self._trained_conditioners]
        lines = [f"frozen conditioners: {', '.join(frozen)}"] if frozen else []
        return [*super().describe(), *lines]

    def _compose(self) -> Pipeline:
        parts = self._parts
        height, width = self.geometry.size
        pipeline = compose(
            first_stage=parts.first_stage,
            denoiser=parts.denoiser,
            process=parts.process,
            conditioners=parts.conditioners,
            inputs=parts.inputs,
            defaults={"size": (width, height), **parts.defaults},
            description=parts.description,
            device=self.device,
            dtype=torch.float32,
            atelier=self._atelier,
        )
        return replace(pipeline, card=parts.card)
