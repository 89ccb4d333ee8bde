"""Validation, sample sheets and export of a conditional decoder."""

from functools import cached_property
from pathlib import Path

from torch import Tensor

from latelier.contracts.images.pixels import tensor_to_pil
from latelier.training.conditional_decoder.objective import ConditionalDecoderObjective, Redrawn
from latelier.training.conditional_decoder.parts import DecoderParts, assemble
from latelier.training.conditioning import to_device
from latelier.training.data.datasets import make_held_out_samples
from latelier.training.evaluator import Evaluator, Sheet
from latelier.training.first_stage.quality import mean_quality, measure_quality
from latelier.training.monitoring.sheets import tile_pairs
from latelier.training.randomness import Draws

_BATCH = 16
"""Pictures that are redrawn at once, each batch through another number of steps."""

_SHARES = (1.0, 0.5, 0.0)
"""Steps of held-out batches in turn, in units of the greatest number."""

_SHEET_COLUMNS = 8


class ConditionalDecoderEvaluator(Evaluator):
    """Compares pictures with and without the conditional decoder, and exports the model."""

    objective: ConditionalDecoderObjective

    def __init__(self, objective: ConditionalDecoderObjective, parts: DecoderParts) -> None:
        super().__init__(objective)
        held_out = make_held_out_samples(objective.config, objective.config.validation_images)
        self._held_out = held_out.with_preparation(objective.prepare_samples)
        self._atelier = parts.base.atelier

    def validate(self) -> dict[str, float]:
        """Return mean measures of held-out pictures, and "psnr_without" the conditional decoder."""
        corrected = ((self._add_known(each), images) for each, images in self._redrawn)
        return {**mean_quality(corrected, None), "psnr_without": self._psnr_without}

    def draw_sample_sheet(self) -> Sheet:
        """Return held-out pictures as the model decodes them, each above the corrected one."""
        redrawn, images = self._redrawn[0]
        corrected = self._add_known(redrawn)
        psnr = float(measure_quality(corrected, images, None)["psnr"].mean())
        pictures = tensor_to_pil(redrawn.images), tensor_to_pil(corrected)
        return tile_pairs(*pictures, _SHEET_COLUMNS, zoom=2), {"psnr": psnr}

    def export(self, folder: Path) -> None:
        """Write the model with its conditional decoder."""
        objective = self.objective
        assemble(objective.config, objective.trained, self._atelier).save(folder)

    def _add_known(self, redrawn: Redrawn) -> Tensor:
        device = next(self.objective.trained.parameters()).device
        corrected = self.objective.trained(redrawn.images.to(device), redrawn.known.to(device))
        return corrected.float().cpu()

    @cached_property
    def _psnr_without(self) -> float:
        return mean_quality(((each.images, images) for each, images in self._redrawn), None)["psnr"]

    @cached_property
    def _redrawn(self) -> list[tuple[Redrawn, Tensor]]:
        """The held-out pictures as the model redraws them, and as they are, on the CPU.

        They stay the same, since the model does.
        """
        objective, count = self.objective, len(self._held_out)
        device = next(objective.trained.parameters()).device
        found = []
        for number, first in enumerate(range(0, count, _BATCH)):
            samples = [self._held_out[k] for k in range(first, min(first + _BATCH, count))]
            batch = to_device(objective.collate(samples), device)
            kept = objective.conditioning.keep_all(len(samples))
            steps = round(_SHARES[number % len(_SHARES)] * objective.config.most_steps)
            redrawn = objective.redraw(batch, kept, Draws(0, 0, batch["index"]), steps)
            on_cpu = Redrawn(redrawn.images.cpu(), redrawn.known.cpu())
            found.append((on_cpu, batch["image"].cpu()))
        return found
