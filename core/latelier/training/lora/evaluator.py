"""Validation, sample sheets and export of a LoRA."""

from dataclasses import replace
from pathlib import Path

from latelier.checkpoints.adapter import save_adapter
from latelier.checkpoints.lora.writing import write_changes
from latelier.training.configs.lora import LoraTraining
from latelier.training.evaluator import Sheet
from latelier.training.lora.parts import LoraParts
from latelier.training.monitoring.sheets import tile_pairs
from latelier.training.prediction.changes import ChangeEvaluator
from latelier.training.prediction.objective import PredictionObjective

_SHEET_SAMPLES = 16
_SHEET_COLUMNS = 8


class LoraEvaluator(ChangeEvaluator):
    """Measures a LoRA, draws pictures without and with it, and exports it."""

    def __init__(
        self, objective: PredictionObjective, parts: LoraParts, config: LoraTraining
    ) -> None:
        super().__init__(objective)
        self._parts = parts
        self._config = config

    def set_strength(self, strength: float) -> None:
        """Set the strength of the LoRA."""
        self._parts.lora.set_strength(strength)

    def draw_sample_sheet(self) -> Sheet:
        """Return pictures of held-out inputs without the LoRA, each above the one with it."""
        parts = self._parts
        inputs = self.read_inputs(parts.base.inputs, self.list_held_out(_SHEET_SAMPLES))
        inputs = inputs or {"n": _SHEET_COLUMNS}
        view = replace(parts.view, device=self.objective.device)
        with self.without_change():
            before = [each.image for each in view.generate(**inputs, seed=0)]
        options = parts.loaded.defaults
        after = [each.image for each in view.generate(**inputs, **options, seed=0)]
        return tile_pairs(before, after, _SHEET_COLUMNS, zoom=2), {}

    def export(self, folder: Path) -> None:
        """Write the LoRA."""
        model, lora = self._parts.base.base_modules(), self._parts.lora

        def write(path: Path) -> str:
            return write_changes(path, lora.layers, model, self._config.layout)

        save_adapter(self._parts.loaded, model, folder, write)
