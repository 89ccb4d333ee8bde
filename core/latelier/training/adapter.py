"""Adapters: a new condition for a finished denoiser, which stays frozen (arXiv:2308.06721)."""

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
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.denoisers.adapter import create_adapter
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline
from latelier.training.configs.parts import InputSource
from latelier.training.configs.trainings import AdapterTraining
from latelier.training.data import collate, make_dataset
from latelier.training.loop import Resume, TrainingResult, prepare_run, train
from latelier.training.objectives.conditioning import check_sources, fit_conditioners
from latelier.training.objectives.prediction import PredictionObjective
from latelier.training.randomness import seed_torch
from latelier.training.sheets import split_rows, tile_images

_SHEET_SCENES = 16
_SHEET_COLUMNS = 8


def train_adapter(
    config: AdapterTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train an adapter and its conditioner, and write both to `config.out`/result.

    Raises:
        UnknownNameError: the model, the conditioner or an input is not found.
        CompatibilityError: the denoiser has no cross-attention, the conditioner gives no stream,
            or the name is taken.
        ModelFileError: the model cannot be read.
        InvalidConfigError: a part of the configuration is invalid, or `out` and `resume` disagree.
        InvalidInputError: the name is invalid, or a keyword of `generate`.
    """
    atelier = atelier or default_atelier()
    # build and check everything before anything is written
    base = load(config.model, device="cpu", dtype="float32", atelier=atelier)
    adapter = _new_adapter(base, config, atelier)
    dataset = make_dataset(config.data, config.data.seed, config.steps * config.batch_size)
    check_sources({config.name: config.conditioner}, dataset[0], "conditioner")
    check_sources(config.inputs, dataset[0], "input")
    objective = AdapterObjective(base, adapter, config)

    checkpoint = prepare_run(config, resume)
    conditioners, sources = {config.name: adapter.conditioner}, {config.name: config.conditioner}
    fit_conditioners(conditioners, sources, dataset, config.fit_samples, config.out)
    return train(objective, dataset, config, checkpoint, atelier)


def _new_adapter(base: Pipeline, config: AdapterTraining, atelier: Atelier) -> LoadedAdapter:
    """Return an untrained adapter for a model, after checking that it fits."""
    for name in config.inputs:
        if name not in base.inputs:
            raise UnknownNameError(
                f"inputs: the model '{config.model}' has no input '{name}'. "
                f"{suggestion(name, base.inputs)}"
            )
    choice = config.conditioner
    with seed_torch(config.seed, 0, torch.device("cpu")):
        conditioner = new_component("conditioner", choice.id, choice.config, atelier)
        outputs = conditioner.module.config.outputs()
        if outputs.stream is None:
            raise CompatibilityError(
                f"conditioner: '{conditioner.id}' gives no stream; an adapter needs one"
            )
        module = create_adapter(base.denoiser_component.module, outputs.stream, config.projection)
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
    base.with_adapter(adapter)  # raises if it does not fit
    return adapter


class AdapterObjective(PredictionObjective):
    """The loss of a frozen model with an adapter; the adapter and its conditioner are trained."""

    config: AdapterTraining

    def __init__(self, base: Pipeline, adapter: LoadedAdapter, config: AdapterTraining) -> None:
        super().__init__(
            base.first_stage_component,
            base.denoiser_component,
            {**base.conditioner_components, config.name: adapter.conditioner},
            base.process,
            _collect_sources(base, config),
            config,
        )
        self.adapter = adapter.adapter.module
        self.trained = nn.ModuleDict(
            {"adapter": self.adapter, "conditioner": adapter.conditioner.module}
        )
        self._base = base
        self._loaded = adapter

    def forward(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return the loss, averaged over samples."""
        return {"loss": self.compute_losses(batch, step, self.scale_adapter(1.0)).mean()}

    def draw_sample_sheet(self) -> tuple[Image, dict[str, float]]:
        """Return rows of held-out images, each above pictures of the same inputs.

        The metrics are "held_out_loss", and "loss_without" the adapter.
        """
        batch = self.collate_held_out()
        metrics = {
            "held_out_loss": float(self.compute_losses(batch, 0, self.scale_adapter(1.0)).mean()),
            "loss_without": float(self.compute_losses(batch, 0, self.scale_adapter(0.0)).mean()),
        }
        samples = self.held_out[:_SHEET_SCENES]
        originals = split_rows(tensor_to_pil(collate(samples)["image"]), _SHEET_COLUMNS)
        view = replace(self._base, device=self.device).with_adapter(self._loaded)
        pictures = view.generate(**self._read_public_inputs(samples), seed=0)
        generated = split_rows([picture.image for picture in pictures], _SHEET_COLUMNS)
        rows = [row for pair in zip(originals, generated, strict=True) for row in pair]
        return tile_images(rows, zoom=2), metrics

    def export(self, folder: Path) -> None:
        """Write the adapter."""
        save_adapter(self._loaded, folder)

    def scale_adapter(self, scale: float) -> dict[str, ScaledAdapter]:
        """Return the adapter at a strength, as the denoiser's control takes it."""
        return {self.config.name: ScaledAdapter(self.adapter, scale)}

    def _read_public_inputs(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        inputs: dict[str, Any] = {
            public: list(self.conditioning.augment(self._base.inputs[public][0], samples))
            for public in self.config.inputs
        }
        name = self.config.name
        return {**inputs, name: list(self.conditioning.augment(name, samples))}


def _collect_sources(base: Pipeline, config: AdapterTraining) -> dict[str, InputSource]:
    """Return the source of each conditioner's input, the adapter's last."""
    sources: dict[str, InputSource] = {
        conditioner: source
        for public, source in config.inputs.items()
        for conditioner in base.inputs[public]
    }
    return {**sources, config.name: config.conditioner}
