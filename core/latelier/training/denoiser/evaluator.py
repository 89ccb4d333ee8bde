"""Validation, sample sheets and export of a denoiser and its conditioners."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from latelier.kernel.atelier import Atelier
from latelier.pipeline.composition import compose
from latelier.pipeline.pipeline import Pipeline
from latelier.training.denoiser.parts import DenoiserParts
from latelier.training.evaluator import Sheet
from latelier.training.monitoring.sheets import split_rows, tile_images
from latelier.training.prediction.evaluator import PredictionEvaluator
from latelier.training.prediction.objective import PredictionObjective

_SHEET_SAMPLES = 24
_SHEET_COLUMNS = 8


class DenoiserEvaluator(PredictionEvaluator):
    """Measures a denoiser, draws pictures with it, and exports the whole pipeline."""

    def __init__(
        self, objective: PredictionObjective, parts: DenoiserParts, atelier: Atelier
    ) -> None:
        super().__init__(objective)
        self._parts = parts
        self._atelier = atelier
        self._compose()  # raises now if a default is invalid, not at the first sheet

    def draw_sample_sheet(self) -> Sheet:
        """Return pictures of held-out inputs; they have no metrics."""
        samples = self.list_held_out(_SHEET_SAMPLES)
        inputs = self.list_inputs(samples)
        count = None if inputs else len(samples)
        pictures = self._compose().generate(**inputs, n=count, seed=0)
        rows = split_rows([picture.image for picture in pictures], _SHEET_COLUMNS)
        return tile_images(rows, zoom=2), {}

    def list_inputs(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the arguments of `generate` that samples have, also those of inpainting."""
        inputs = self.read_inputs(self._parts.inputs, samples)
        conditioning = self.objective.conditioning
        for name in conditioning.sources:
            if self._parts.conditioners[name].module.config.is_inpainting:
                values = list(conditioning.augment(name, samples))
                inputs["init_image"] = [value.image for value in values]
                inputs["mask"] = [value.mask for value in values]
        return inputs

    def export(self, folder: Path) -> None:
        """Write the pipeline."""
        self._compose().save(folder)

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
            device=self.objective.device,
            dtype=torch.float32,
            atelier=self._atelier,
        )
        return replace(pipeline, card=parts.card)
