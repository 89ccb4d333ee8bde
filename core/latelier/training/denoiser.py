"""Stage two: a denoiser and its conditioners, on latents (arXiv:2112.10752, section 3.2)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn

from latelier.checkpoints.component import (
    Component,
    assets_of,
    load_component,
    new_component,
)
from latelier.checkpoints.manifests import COMPONENT_FILE
from latelier.contracts.errors import InvalidConfigError
from latelier.diffusion.processes.kinds import process_from
from latelier.io.atomic import write_bytes
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.compatibility import check_composition
from latelier.pipeline.composition import compose
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline
from latelier.training.conditioning import check_sources, fit
from latelier.training.config import DenoiserTraining
from latelier.training.data import scenes
from latelier.training.loop import Resume, TrainingResult, begin, train
from latelier.training.prediction_loss import Predicting
from latelier.training.randomness import seeded
from latelier.training.sheets import grid

_SHEET_SCENES = 24
_SHEET_COLUMNS = 8


def train_denoiser(
    config: DenoiserTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a denoiser, and leave a whole pipeline in `config.out`/result.

    Raises:
        UnknownNameError: nobody registered a component, or there is no such first stage or model.
        CompatibilityError: the components do not fit together.
        ModelFileError: the first stage cannot be read.
        InvalidConfigError: a part of the configuration is wrong, `out` and `resume` disagree, or
            the model to start from is of another configuration.
    """
    atelier = atelier or default_atelier()
    first_stage = _first_stage(config.first_stage, atelier)
    with seeded(config.seed, 0, torch.device("cpu")):
        denoiser = new_component("denoiser", config.denoiser.id, config.denoiser.config, atelier)
        conditioners = {
            name: new_component("conditioner", spec.id, spec.config, atelier)
            for name, spec in config.conditioners.items()
        }
    check_composition(
        first_stage.module.config,
        denoiser.module.config,
        {name: component.module.config for name, component in conditioners.items()},
    )
    dataset = scenes(config.data, config.data.seed, config.steps * config.batch_size)
    check_sources(config.conditioners, dataset[0], "conditioner")
    objective = Denoising(first_stage, denoiser, conditioners, config, atelier)
    start = begin(config, resume)
    if config.start_from is not None and start is None:
        _begin_with(config.start_from, {"denoiser": denoiser, **conditioners}, config, atelier)
    fit(conditioners, config.conditioners, dataset, config.fit_samples, config.out)
    return train(objective, dataset, config, start, atelier)


class Denoising(Predicting):
    """The mean squared error of the prediction, of which everything but the latents is trained."""

    def __init__(
        self,
        first_stage: Component,
        denoiser: Component,
        conditioners: Mapping[str, Component],
        config: DenoiserTraining,
        atelier: Atelier,
    ) -> None:
        process = process_from(config.process)
        super().__init__(first_stage, denoiser, conditioners, process, config.conditioners, config)
        self.trained = nn.ModuleDict({"denoiser": self.denoiser, "conditioners": self.conditioners})
        self._components = (first_stage, denoiser, conditioners)
        self._config = config
        self._atelier = atelier

    def forward(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return the loss: the mean over samples of their mean squared error."""
        return {"loss": self.losses(batch, step, {}).mean()}

    def sheet(self) -> tuple[Image, dict[str, float]]:
        """Return pictures of held-out inputs, and the loss over held-out scenes."""
        given: dict[str, Any] = {
            spec.source: list(self._conditioning.augmented(name, self._held_out[:_SHEET_SCENES]))
            for name, spec in self._config.conditioners.items()
        }
        loss = self(self.measured(), 0)["loss"]
        made = self._pipeline().generate(**given, seed=0)
        images = [picture.image for picture in made]
        rows = [
            images[first : first + _SHEET_COLUMNS]
            for first in range(0, len(images), _SHEET_COLUMNS)
        ]
        return grid(rows, zoom=2), {"held_out_loss": float(loss)}

    def export(self, folder: Path) -> None:
        """Write the pipeline."""
        self._pipeline().save(folder)

    def _pipeline(self) -> Pipeline:
        first_stage, denoiser, conditioners = self._components
        feeds: dict[str, list[str]] = {}
        for name, spec in self._config.conditioners.items():
            feeds.setdefault(spec.source, []).append(name)
        height, width = self._held_out[0]["image"].shape[1:]
        return compose(
            first_stage=first_stage,
            denoiser=denoiser,
            process=self._process,
            conditioners=conditioners,
            inputs=feeds,
            defaults={"size": (width, height), **self._config.defaults},
            description=self._config.description,
            device=self.device,
            dtype=torch.float32,
            atelier=self._atelier,
        )


def _first_stage(name: str, atelier: Atelier) -> Component:
    folder = Path(name)
    if (folder / COMPONENT_FILE).is_file():
        return load_component(folder, "first_stage", atelier)
    return load(name, device="cpu", dtype="float32", atelier=atelier).first_stage_component


def _begin_with(
    name: str, components: Mapping[str, Component], config: DenoiserTraining, atelier: Atelier
) -> None:
    """Give `components` the weights, and what was fitted, of the model `name`.

    Raises:
        InvalidConfigError: the model has no such component, or one of another configuration.
    """
    model = load(name, device="cpu", dtype="float32", atelier=atelier)
    found = {"denoiser": model.denoiser_component, **model.conditioner_components}
    for place, component in components.items():
        if place not in found or found[place].config != component.config:
            raise InvalidConfigError(
                f"start_from: '{name}' has no '{place}' of this configuration; give '{place}' the "
                "configuration that `latelier models show` prints, or leave start_from out"
            )
    for place, component in components.items():
        component.module.load_state_dict(found[place].module.state_dict())
        for file, data in assets_of(found[place].module).items():
            write_bytes(config.out / "assets" / place / file, data)
