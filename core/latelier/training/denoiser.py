"""Stage two: a denoiser and its conditioners, on latents (arXiv:2112.10752, section 3.2)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from latelier import default_atelier
from latelier.checkpoints.component import (
    COMPONENT_FILE,
    Component,
    assets_of,
    load_component,
    new_component,
)
from latelier.checkpoints.files import write_bytes
from latelier.diffusion import frames
from latelier.diffusion.processes import process_from
from latelier.kernel.atelier import Atelier
from latelier.kernel.compatibility import check_composition
from latelier.kernel.condition import Condition, chosen
from latelier.kernel.contracts import Control, Frame
from latelier.kernel.errors import CompatibilityError, InvalidConfigError, suggestion
from latelier.kernel.inputs import read_input
from latelier.pipeline.composition import compose
from latelier.pipeline.loading import load
from latelier.pipeline.pipeline import Pipeline
from latelier.training.config import DenoiserTraining
from latelier.training.data import collated, scenes
from latelier.training.loop import Resume, TrainingResult, begin, train
from latelier.training.losses import denoising
from latelier.training.objective import Objective
from latelier.training.randomness import Draws, Purpose, generator, seeded
from latelier.training.sheets import grid

_SHEET_SCENES = 24
_SHEET_COLUMNS = 8
_MEASURED_SCENES = 128


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
    _check_sources(config, dataset[0])
    start = begin(config, resume)
    if config.start_from is not None and start is None:
        _begin_with(config.start_from, {"denoiser": denoiser, **conditioners}, config, atelier)
    _fit(conditioners, dataset, config)
    objective = Denoising(first_stage, denoiser, conditioners, config, atelier)
    return train(objective, dataset, config, start, atelier)


class Denoising(Objective):
    """The mean squared error of the prediction that the noise process asks for."""

    def __init__(
        self,
        first_stage: Component,
        denoiser: Component,
        conditioners: Mapping[str, Component],
        config: DenoiserTraining,
        atelier: Atelier,
    ) -> None:
        super().__init__()
        _check_honours(denoiser, config)
        self.first_stage = first_stage.module
        self.denoiser = denoiser.module
        self.conditioners = nn.ModuleDict(
            {name: component.module for name, component in conditioners.items()}
        )
        self.trained = nn.ModuleDict({"denoiser": self.denoiser, "conditioners": self.conditioners})
        self._components = (first_stage, denoiser, conditioners)
        self._config = config
        self._atelier = atelier
        self._process = process_from(config.process)
        held_out = scenes(config.data, config.data.held_out_seed, _MEASURED_SCENES)
        self._held_out = [held_out[k] for k in range(_MEASURED_SCENES)]

    def collate(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return images, indices, and what each conditioner prepared for its inputs."""
        batch = collated(samples)
        frame = replace(self._frame(batch["image"]), first_stage=None)
        batch["conditions"] = {
            name: self.conditioners[name].prepare(  # type: ignore[operator]
                list(self._augmented(name, samples)), frame
            )
            for name, spec in self._config.conditioners.items()
        }
        return batch

    def forward(self, batch: dict[str, Any], step: int) -> dict[str, Tensor]:
        """Return the loss: the mean over samples of their mean squared error."""
        with torch.no_grad():
            latents = self.first_stage.encode(batch["image"]).float()
        draws = Draws(self._config.seed, step, batch["index"])
        sigmas = self._process.training_sigmas(draws.uniform(Purpose.TIME))
        eps = draws.normal(Purpose.NOISE, latents.shape[1:]).to(latents.device)
        x = self._process.noised(latents, eps, sigmas)
        t = self._process.timestep(sigmas).to(latents.device)
        scale = self._process.input_scale(frames.per_image(sigmas, x))
        condition = self._condition(batch, draws)
        control = Control(recompute=self._config.recompute)
        prediction = self.denoiser(x * scale, t, condition, control)
        target = self._process.target(latents, eps, sigmas)
        return {"loss": denoising(prediction, target).mean()}

    def sheet(self) -> tuple[Image, dict[str, float]]:
        """Return pictures of held-out inputs, and the loss over held-out scenes."""
        given: dict[str, Any] = {
            spec.source: list(self._augmented(name, self._held_out[:_SHEET_SCENES]))
            for name, spec in self._config.conditioners.items()
        }
        batch = self.collate(self._held_out)
        device = next(self.denoiser.parameters()).device
        loss = self(_moved(batch, device), 0)["loss"]
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

    def _condition(self, batch: dict[str, Any], draws: Draws) -> Condition:
        """Return the condition, some rows of which are null parts.

        Each conditioner is dropped on its own, with its own probability; and all at once, with
        `drop_all`, so that the unconditional model that guidance needs is trained well.
        """
        rows, frame = len(batch["image"]), self._frame(batch["image"])
        device = batch["image"].device
        keep_any = draws.uniform(Purpose.DROP_ALL) >= self._config.drop_all
        joined = Condition()
        for position, (name, spec) in enumerate(self._config.conditioners.items()):
            conditioner: Any = self.conditioners[name]
            keep = (draws.uniform(Purpose.DROP_FIRST + position) >= spec.drop) & keep_any
            part = conditioner(batch["conditions"][name], frame)
            given = chosen(keep.to(device), part, conditioner.null(rows, frame))
            joined = joined.joined(Condition.of({name: given}).to(device, torch.float32))
        return joined

    def _augmented(self, name: str, samples: Sequence[dict[str, Any]]) -> Iterator[Any]:
        """Yield what a conditioner is given of each sample; its draws derive from the sample."""
        conditioner: Any = self.conditioners[name]
        position = list(self.conditioners).index(name)
        values = _inputs(conditioner, samples, self._config.conditioners[name].source)
        for sample, value in zip(samples, values, strict=True):
            purpose = Purpose.AUGMENT_FIRST + position
            yield conditioner.augment(
                value, generator(self._config.seed, 0, sample["index"], purpose)
            )

    def _frame(self, images: Tensor) -> Frame:
        height, width = images.shape[2:]
        f = self.first_stage.config.downsampling
        return Frame((height, width), (height // f, width // f), first_stage=self.first_stage)

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
            device=next(self.denoiser.parameters()).device,
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


def _fit(
    conditioners: Mapping[str, Component], dataset: Dataset[Any], config: DenoiserTraining
) -> None:
    """Fit the conditioners on the first training samples, or take back what was fitted before."""
    for name, component in conditioners.items():
        conditioner = component.module
        folder = config.out / "assets" / name
        if folder.is_dir():
            conditioner.set_assets({path.name: path.read_bytes() for path in folder.iterdir()})
            continue
        count = min(config.fit_samples, len(dataset))  # type: ignore[arg-type]
        samples = (dataset[k] for k in range(count))
        conditioner.fit(_inputs(conditioner, samples, config.conditioners[name].source))
        for file, data in conditioner.assets().items():
            write_bytes(folder / file, data)


def _check_sources(config: DenoiserTraining, sample: Mapping[str, Any]) -> None:
    for name, spec in config.conditioners.items():
        if spec.source not in sample:
            raise InvalidConfigError(
                f"conditioner '{name}' wants '{spec.source}' of each data sample. "
                f"{suggestion(spec.source, sample)}"
            )


def _check_honours(denoiser: Component, config: DenoiserTraining) -> None:
    honours = denoiser.module.config.honours
    if config.recompute and "recompute" not in honours:
        raise CompatibilityError(
            f"recompute: the denoiser '{denoiser.id}' cannot make its activations again; "
            "set it to false"
        )


def _inputs(conditioner: Any, samples: Any, source: str) -> Iterator[Any]:
    for sample in samples:
        yield read_input(conditioner.Input, sample[source], f"'{source}' of the data")


def _moved(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: _moved(value, device) for key, value in batch.items()}
    return batch
