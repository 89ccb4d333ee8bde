"""Adapters: a conditioner for a finished denoiser, which stays frozen (arXiv:2308.06721)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component, save_adapter
from latelier.checkpoints.component import new_component
from latelier.checkpoints.manifests import TrainedOn
from latelier.contracts.components import ScaledAdapter
from latelier.contracts.errors import CompatibilityError, UnknownNameError, suggestion
from latelier.denoisers.adapter import adapter_for
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline
from latelier.training.conditioning import check_sources, fit
from latelier.training.config import AdapterTraining, InputSpec
from latelier.training.data import collated, scenes
from latelier.training.loop import Resume, TrainingResult, begin, train
from latelier.training.prediction_loss import Predicting
from latelier.training.randomness import seeded
from latelier.training.sheets import grid, pictures

_SHEET_SCENES = 16
_SHEET_COLUMNS = 8


def train_adapter(
    config: AdapterTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train an adapter and its conditioner, and leave both in `config.out`/result.

    Raises:
        UnknownNameError: there is no such model, conditioner or input.
        CompatibilityError: the denoiser has no cross-attention, the conditioner gives something
            else than a stream, or the name is taken.
        ModelFileError: the model cannot be read.
        InvalidConfigError: a part of the configuration is wrong, or `out` and `resume` disagree.
        InvalidInputError: the name is none, or a keyword of `generate`.
    """
    atelier = atelier or default_atelier()
    base = load(config.model, device="cpu", dtype="float32", atelier=atelier)
    adapter = _new_adapter(base, config, atelier)
    dataset = scenes(config.data, config.data.seed, config.steps * config.batch_size)
    check_sources({config.name: config.conditioner}, dataset[0], "conditioner")
    check_sources(config.inputs, dataset[0], "input")
    objective = Adapting(base, adapter, config)
    start = begin(config, resume)
    own = {config.name: config.conditioner}
    fit({config.name: adapter.conditioner}, own, dataset, config.fit_samples, config.out)
    return train(objective, dataset, config, start, atelier)


def _new_adapter(base: Pipeline, config: AdapterTraining, atelier: Atelier) -> LoadedAdapter:
    """Return a new adapter for a model, of which it is checked that it fits."""
    for name in config.inputs:
        if name not in base.inputs:
            raise UnknownNameError(
                f"inputs: the model '{config.model}' takes no '{name}'. "
                f"{suggestion(name, base.inputs)}"
            )
    spec = config.conditioner
    with seeded(config.seed, 0, torch.device("cpu")):
        conditioner = new_component("conditioner", spec.id, spec.config, atelier)
        gives = conditioner.module.config.outputs()
        if gives.stream is None:
            raise CompatibilityError(
                f"conditioner: '{conditioner.id}' gives no stream, which an adapter needs"
            )
        module = adapter_for(base.denoiser_component.module, gives.stream, config.projection)
    denoiser = base.denoiser_component
    trained_on = TrainedOn(
        model=config.model,
        denoiser=denoiser.id,
        config_sha256=denoiser.config_sha256,
        weights_sha256=denoiser.weights_sha256,
        process=base.process.kind,
    )
    adapter = LoadedAdapter(
        config.name,
        conditioner,
        adapter_component(module),
        config.description,
        trained_on,
        config.card,
    )
    base.with_adapter(adapter)
    return adapter


class Adapting(Predicting):
    """The loss of the model that is adapted, of which nothing else is trained."""

    def __init__(self, base: Pipeline, adapter: LoadedAdapter, config: AdapterTraining) -> None:
        super().__init__(
            base.first_stage_component,
            base.denoiser_component,
            {**base.conditioner_components, config.name: adapter.conditioner},
            base.process,
            _specs(base, config),
            config,
        )
        self.adapter = adapter.adapter.module
        self.trained = nn.ModuleDict(
            {"adapter": self.adapter, "conditioner": adapter.conditioner.module}
        )
        self._base = base
        self._loaded = adapter
        self._config = config

    def forward(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return the loss: the mean over samples of their mean squared error."""
        return {"loss": self.losses(batch, step, self._scaled(1.0)).mean()}

    def sheet(self) -> tuple[Image, dict[str, float]]:
        """Return held-out images above pictures of their inputs.

        Measured are the loss over held-out scenes, and what it is without the adapter.
        """
        batch = self.measured()
        measured = {
            "held_out_loss": float(self.losses(batch, 0, self._scaled(1.0)).mean()),
            "loss_without": float(self.losses(batch, 0, self._scaled(0.0)).mean()),
        }
        shown = self._held_out[:_SHEET_SCENES]
        originals = pictures(collated(shown)["image"])
        view = replace(self._base, device=self.device).with_adapter(self._loaded)
        made = [picture.image for picture in view.generate(**self._given(shown), seed=0)]
        rows = [
            each[first : first + _SHEET_COLUMNS]
            for first in range(0, len(shown), _SHEET_COLUMNS)
            for each in (originals, made)
        ]
        return grid(rows, zoom=2), measured

    def export(self, folder: Path) -> None:
        """Write the adapter."""
        save_adapter(self._loaded, folder)

    def _scaled(self, scale: float) -> dict[str, ScaledAdapter]:
        return {self._config.name: ScaledAdapter(self.adapter, scale)}

    def _given(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the public inputs of data samples."""
        given: dict[str, Any] = {
            public: list(self._conditioning.augmented(self._base.inputs[public][0], samples))
            for public in self._config.inputs
        }
        name = self._config.name
        return {**given, name: list(self._conditioning.augmented(name, samples))}


def _specs(base: Pipeline, config: AdapterTraining) -> dict[str, InputSpec]:
    """Return what each conditioner is given, the adapter's last."""
    specs: dict[str, InputSpec] = {
        conditioner: spec
        for public, spec in config.inputs.items()
        for conditioner in base.inputs[public]
    }
    return {**specs, config.name: config.conditioner}
