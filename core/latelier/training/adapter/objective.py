"""The loss of an adapter (arXiv:2308.06721)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor

from latelier.checkpoints.adapter import LoadedAdapter, save_adapter
from latelier.contracts.components import ScaledAdapter
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.pipeline.pipeline import Pipeline
from latelier.training.conditioning import to_device
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.configs.components import InputSource
from latelier.training.monitoring.sheets import split_rows, tile_images
from latelier.training.prediction.batches import collate_samples, to_latents
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.randomness import Draws

_SHEET_SCENES = 16
_SHEET_COLUMNS = 8


class AdapterObjective(PredictionObjective):
    """The loss of a frozen model with an adapter; the adapter and its conditioner are trained."""

    config: AdapterTraining

    def __init__(self, base: Pipeline, adapter: LoadedAdapter, config: AdapterTraining) -> None:
        super().__init__(
            base.first_stage_component,
            base.denoiser_component,
            {**base.conditioner_components, config.name: adapter.conditioner},
            base.process,
            collect_sources(base, config),
            config,
        )
        self.adapter = adapter.adapter.module
        self.trained = self.collect_trained(
            {"adapter": self.adapter, "conditioner": adapter.conditioner.module}
        )
        self._base = base
        self._loaded = adapter
        self._scale = 1.0

    def attach_adapters(self) -> dict[str, ScaledAdapter]:
        """Return the adapter at its present strength."""
        return {self.config.name: ScaledAdapter(self.adapter, self._scale)}

    def validate(self) -> dict[str, float]:
        """Return the errors of x0, and their mean "x0_error_without" the adapter."""
        errors = super().validate()
        self._scale = 0.0
        try:
            return {**errors, "x0_error_without": super().validate()["x0_error"]}
        finally:
            self._scale = 1.0

    def draw_sample_sheet(self) -> tuple[Image, dict[str, float]]:
        """Return rows of held-out images, each above pictures of the same inputs; no metrics."""
        samples = self.held_out[:_SHEET_SCENES]
        originals = split_rows(tensor_to_pil(self._decode(samples)), _SHEET_COLUMNS)
        view = replace(self._base, device=self.device).with_adapter(self._loaded)
        pictures = view.generate(**self._read_public_inputs(samples), seed=0)
        generated = split_rows([picture.image for picture in pictures], _SHEET_COLUMNS)
        rows = [row for pair in zip(originals, generated, strict=True) for row in pair]
        return tile_images(rows, zoom=2), {}

    def export(self, folder: Path) -> None:
        """Write the adapter."""
        save_adapter(self._loaded, folder)

    def _decode(self, samples: Sequence[dict[str, Any]]) -> Tensor:
        """Return the pictures of samples (B, 3, H, W); those of a cache are decoded."""
        batch = to_device(collate_samples(samples), self.device)
        if "image" in batch:
            images: Tensor = batch["image"]
            return images
        latents = to_latents(batch, Draws(0, 0, batch["index"]), self.first_stage)
        decoded: Tensor = self.first_stage.decode(latents)
        return decoded

    def _read_public_inputs(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        inputs: dict[str, Any] = {
            public: list(self.conditioning.augment(self._base.inputs[public][0], samples))
            for public in self.config.inputs
        }
        name = self.config.name
        return {**inputs, name: list(self.conditioning.augment(name, samples))}


def collect_sources(base: Pipeline, config: AdapterTraining) -> dict[str, InputSource]:
    """Return the source of each conditioner's input, the adapter's last."""
    sources: dict[str, InputSource] = {
        conditioner: source
        for public, source in config.inputs.items()
        for conditioner in base.inputs[public]
    }
    return {**sources, config.name: config.conditioner}
