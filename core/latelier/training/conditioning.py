"""Conditions of training batches: inputs read, augmented, prepared, encoded, and dropped."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from latelier.checkpoints.component import Component
from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, where
from latelier.contracts.errors import InvalidConfigError, suggestion
from latelier.contracts.inputs import read_input
from latelier.io.atomic import atomic_folder, write_bytes
from latelier.training.configs.components import InputSource
from latelier.training.randomness import Draws, Purpose, make_generator


class Conditioning:
    """The conditioners of a training.

    Attributes:
        sources: Source and drop-out of each conditioner's input, by the conditioner's name. A
            conditioner without a source always gives its null part.
    """

    def __init__(
        self,
        conditioners: nn.ModuleDict,
        sources: Mapping[str, InputSource],
        drop_all: float,
        seed: int,
    ) -> None:
        self.sources = sources
        self._conditioners = conditioners
        self._drop_all = drop_all
        self._seed = seed

    def prepare(
        self, samples: Sequence[Mapping[str, Any]], geometry: PictureGeometry
    ) -> dict[str, Any]:
        """Return what each conditioner prepares for data samples, by name.

        Data workers call it, so `geometry` has no first stage.
        """
        return {
            name: self._conditioners[name].prepare(  # type: ignore[operator]
                list(self.augment(name, samples)), geometry
            )
            for name in self.sources
        }

    def augment(self, name: str, samples: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
        """Yield a conditioner's augmented input for each sample, random by the sample's index."""
        conditioner: Any = self._conditioners[name]
        purpose = Purpose.AUGMENT_FIRST + list(self.sources).index(name)
        inputs = read_inputs(conditioner, samples, self.sources[name].source)
        for sample, value in zip(samples, inputs, strict=True):
            generator = make_generator(self._seed, 0, sample["index"], purpose)
            yield conditioner.augment(value, generator)

    def encode(
        self,
        prepared: Mapping[str, Any],
        draws: Draws,
        geometry: PictureGeometry,
        device: torch.device,
    ) -> Condition:
        """Return the condition of a batch; null parts replace the dropped rows.

        Each conditioner is dropped independently with its own probability, and all are dropped at
        once with `drop_all`, which trains the unconditional model that guidance needs.
        """
        rows, positions = len(draws.indices), list(self.sources)
        keep_any = draws.uniform(Purpose.DROP_ALL) >= self._drop_all
        condition = Condition()
        for name in self._conditioners:
            conditioner: Any = self._conditioners[name]
            part = conditioner.null(rows, geometry)
            if name in self.sources:
                uniform = draws.uniform(Purpose.DROP_FIRST + positions.index(name))
                keep = (uniform >= self.sources[name].drop) & keep_any
                part = where(keep.to(device), conditioner(prepared[name], geometry), part)
            condition = condition.union(Condition.of({name: part}).to(device, torch.float32))
        return condition


def fit_conditioners(
    conditioners: Mapping[str, Component],
    sources: Mapping[str, InputSource],
    dataset: Dataset[Any],
    max_samples: int,
    out: Path,
) -> None:
    """Fit conditioners on the first training samples, or restore what an earlier call fitted.

    Args:
        conditioners: Conditioners by name.
        sources: Sources of their inputs, by the same names.
        dataset: The training samples.
        max_samples: Number of samples to fit on, at most.
        out: Folder of the run; what is fitted is stored in its folder "assets".
    """
    for name, component in conditioners.items():
        conditioner = component.module
        folder = out / "assets" / name
        if folder.is_dir():
            conditioner.set_assets({path.name: path.read_bytes() for path in folder.iterdir()})
            continue
        count = min(max_samples, len(dataset))  # type: ignore[arg-type]
        samples = (dataset[k] for k in range(count))
        conditioner.fit(read_inputs(conditioner, samples, sources[name].source))
        assets = conditioner.assets()
        if assets:
            with atomic_folder(folder) as partial:
                for file, data in assets.items():
                    write_bytes(partial / file, data)


def check_sources(
    sources: Mapping[str, InputSource], sample: Mapping[str, Any], label: str
) -> None:
    """Check that data samples have the source of each input; `label` says what the names are.

    Raises:
        InvalidConfigError: a source is not a field of the sample.
    """
    for name, each in sources.items():
        if each.source not in sample:
            raise InvalidConfigError(
                f"{label} '{name}': the data samples have no field '{each.source}'. "
                f"{suggestion(each.source, sample)}"
            )


def read_inputs(
    conditioner: Any, samples: Iterable[Mapping[str, Any]], source: str
) -> Iterator[Any]:
    """Yield the field `source` of each sample as the conditioner's `Input`.

    Raises:
        InvalidInputError: the field's value is not a valid input.
    """
    for sample in samples:
        yield read_input(conditioner.Input, sample[source], f"'{source}' of the data")


def to_device(batch: Any, device: torch.device) -> Any:
    """Return a batch of nested dicts with its tensors on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    return batch
