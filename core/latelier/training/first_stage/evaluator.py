"""Validation, sample sheets and export of a first stage."""

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from latelier.checkpoints.component import Component
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.training.evaluator import Evaluator, Sheet
from latelier.training.first_stage.export import export_first_stage
from latelier.training.first_stage.images import load_held_out
from latelier.training.first_stage.objective import AutoencoderObjective
from latelier.training.first_stage.quality import mean_quality, measure_quality
from latelier.training.monitoring.sheets import tile_pairs

_SHEET_IMAGES = 32
_SHEET_COLUMNS = 8


class AutoencoderEvaluator(Evaluator):
    """Measures reconstructions of held-out images, and exports the autoencoder."""

    objective: AutoencoderObjective

    def __init__(self, objective: AutoencoderObjective, component: Component) -> None:
        """Create the evaluator of an objective; `component` has its autoencoder."""
        super().__init__(objective)
        self._component = component
        self._config = objective.config
        self._perceptual = objective.reconstruction.perceptual

    def validate(self) -> dict[str, float]:
        """Return mean measures of held-out reconstructions (see `measure_quality`)."""
        held_out = self._load_held_out(self._config.validation_images)
        pairs = ((self._reconstruct(images), images) for images in held_out)
        return mean_quality(pairs, self._perceptual)

    def draw_sample_sheet(self) -> Sheet:
        """Return rows of held-out images, each above its reconstructions, and "psnr" in dB."""
        images = next(self._load_held_out(_SHEET_IMAGES))
        reconstructions = self._reconstruct(images)
        measures = measure_quality(reconstructions, images, None)
        pictures = tensor_to_pil(images), tensor_to_pil(reconstructions)
        sheet = tile_pairs(*pictures, _SHEET_COLUMNS, zoom=2)
        return sheet, {"psnr": float(measures["psnr"].mean())}

    def export(self, folder: Path) -> None:
        """Write the autoencoder and its report; see `export_first_stage`."""
        export_first_stage(self._component, self._config, self._perceptual, folder)

    def _reconstruct(self, images: Tensor) -> Tensor:
        autoencoder = self.objective.autoencoder
        return autoencoder.decode(autoencoder.encode(images))

    def _load_held_out(self, count: int) -> Iterator[Tensor]:
        device = next(self.objective.autoencoder.parameters()).device
        return load_held_out(self._config, count, device)
