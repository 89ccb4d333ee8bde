"""Validation, sample sheets and export of an adapter."""

from dataclasses import replace
from pathlib import Path

import torch

from latelier.checkpoints.adapter import save_adapter
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.training.adapter.parts import AdapterParts
from latelier.training.evaluator import Sheet
from latelier.training.monitoring.sheets import tile_pairs
from latelier.training.prediction.changes import ChangeEvaluator
from latelier.training.prediction.objective import PredictionObjective

_SHEET_SAMPLES = 16
_SHEET_COLUMNS = 8


class AdapterEvaluator(ChangeEvaluator):
    """Measures an adapter, draws pictures with it, and exports it with its conditioner."""

    def __init__(self, objective: PredictionObjective, parts: AdapterParts) -> None:
        super().__init__(objective)
        self._base = parts.base
        self._loaded = parts.loaded

    def set_strength(self, strength: float) -> None:
        """Set the strength of the adapter."""
        self.objective.adapter_strength = strength

    def draw_sample_sheet(self) -> Sheet:
        """Return rows of held-out images, each above pictures of the same inputs; no metrics."""
        samples, name = self.list_held_out(_SHEET_SAMPLES), self._loaded.name
        originals = tensor_to_pil(torch.stack([sample["image"] for sample in samples]))
        inputs = self.read_inputs({**self._base.inputs, name: (name,)}, samples)
        view = replace(self._base, device=self.objective.device).with_adapter(self._loaded)
        pictures = [each.image for each in view.generate(**inputs, seed=0)]
        return tile_pairs(originals, pictures, _SHEET_COLUMNS, zoom=2), {}

    def export(self, folder: Path) -> None:
        """Write the adapter."""
        save_adapter(self._loaded, self._base.base_modules(), folder)
