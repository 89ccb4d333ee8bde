"""The loss of a LoRA (arXiv:2106.09685)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL.Image import Image

from latelier.checkpoints.component import Component
from latelier.checkpoints.lora.lora import LoadedLora, Lora, find_layers, select_layers
from latelier.checkpoints.lora.storage import save_lora
from latelier.nn.low_rank import LowRankLayer
from latelier.nn.views import replace_layers
from latelier.pipeline.pipeline import Pipeline
from latelier.training.configs.components import InputSource
from latelier.training.configs.lora import LoraTraining
from latelier.training.monitoring.sheets import split_rows, tile_images
from latelier.training.prediction.objective import PredictionObjective

_SHEET_SCENES = 16
_SHEET_COLUMNS = 8


class LoraObjective(PredictionObjective):
    """The loss of a frozen model with low-rank changes, which are trained."""

    config: LoraTraining

    def __init__(
        self,
        base: Pipeline,
        loaded: LoadedLora,
        inputs: Mapping[str, InputSource],
        config: LoraTraining,
    ) -> None:
        """Put the changes into the model; `inputs` are the sources of its public inputs."""
        view = add_layers(base, loaded.lora)
        sources = {
            name: source for public, source in inputs.items() for name in base.inputs[public]
        }
        super().__init__(
            view.first_stage_component,
            view.denoiser_component,
            view.conditioner_components,
            view.process,
            sources,
            config,
        )
        self.trained = self.collect_trained({"lora": loaded.lora})
        self._base = base
        self._view = view
        self._loaded = loaded
        self._inputs = inputs

    def validate(self) -> dict[str, float]:
        """Return the errors of x0, and their mean "x0_error_without" the LoRA."""
        errors = super().validate()
        with self._without_lora():
            return {**errors, "x0_error_without": super().validate()["x0_error"]}

    def draw_sample_sheet(self) -> tuple[Image, dict[str, float]]:
        """Return pictures of held-out inputs without the LoRA, each above the one with it."""
        inputs = self._read_public_inputs(self.held_out[:_SHEET_SCENES])
        inputs = inputs or {"n": _SHEET_COLUMNS}
        view = replace(self._view, device=self.device)
        with self._without_lora():
            before = view.generate(**inputs, seed=0)
        rows = [
            split_rows([picture.image for picture in pictures], _SHEET_COLUMNS)
            for pictures in (before, view.generate(**inputs, seed=0))
        ]
        return tile_images([row for pair in zip(*rows, strict=True) for row in pair], zoom=2), {}

    def export(self, folder: Path) -> None:
        """Write the LoRA."""
        save_lora(self._loaded, self._base.base_components(), folder, self.config.layout)

    def describe(self) -> list[str]:
        """Return what a prediction's objective does, and what is changed."""
        changes = self._loaded.lora.changes.values()
        ranks = sorted({change.rank for change in changes})
        count = sum(each.numel() for each in self._loaded.lora.parameters())
        return [
            *super().describe(),
            f"LoRA of {len(changes)} layers, rank {', '.join(map(str, ranks))}: "
            f"{count:,} parameters",
        ]

    @contextmanager
    def _without_lora(self) -> Iterator[None]:
        self._loaded.lora.set_strength(0.0)
        try:
            yield
        finally:
            self._loaded.lora.set_strength(1.0)

    def _read_public_inputs(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return {
            public: list(self.conditioning.augment(self._base.inputs[public][0], samples))
            for public in self._inputs
        }


def add_layers(base: Pipeline, lora: Lora) -> Pipeline:
    """Return a view of a model whose layers have the changes of a LoRA, for its training."""
    components = base.base_components()
    layers = find_layers(components)

    def view_of(place: str) -> Component:
        changed = {
            path: LowRankLayer(layers[f"{place}.{path}"], change)
            for path, change in select_layers(lora.changes, place).items()
        }
        component = components[place]
        if not changed:
            return component
        return replace(component, module=replace_layers(component.module, changed))

    return replace(
        base,
        denoiser_component=view_of("denoiser"),
        conditioner_components={
            name: view_of(f"conditioners.{name}") for name in base.conditioner_components
        },
    )
