"""What conditioners make of data samples in training: prepared, encoded, dropped now and then."""

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
from latelier.training.config import InputSpec
from latelier.training.randomness import Draws, Purpose, generator


class Conditioning:
    """The conditioners of a training.

    specs: where the inputs of each come from, and how often it is dropped. One without always gives
    its null part.
    """

    def __init__(
        self,
        conditioners: nn.ModuleDict,
        specs: Mapping[str, InputSpec],
        drop_all: float,
        seed: int,
    ) -> None:
        self._conditioners = conditioners
        self._specs = specs
        self._drop_all = drop_all
        self._seed = seed

    def prepared(
        self, samples: Sequence[Mapping[str, Any]], frame: PictureGeometry
    ) -> dict[str, Any]:
        """Return what each conditioner prepares of data samples; `frame` has no first stage."""
        return {
            name: self._conditioners[name].prepare(  # type: ignore[operator]
                list(self.augmented(name, samples)), frame
            )
            for name in self._specs
        }

    def augmented(self, name: str, samples: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
        """Yield what a conditioner is given of each sample; its draws derive from the sample."""
        conditioner: Any = self._conditioners[name]
        position = list(self._specs).index(name)
        values = inputs_of(conditioner, samples, self._specs[name].source)
        for sample, value in zip(samples, values, strict=True):
            purpose = Purpose.AUGMENT_FIRST + position
            yield conditioner.augment(value, generator(self._seed, 0, sample["index"], purpose))

    def condition(
        self,
        prepared: Mapping[str, Any],
        draws: Draws,
        frame: PictureGeometry,
        device: torch.device,
    ) -> Condition:
        """Return the condition, some rows of which are null parts.

        Each conditioner is dropped on its own, with its own probability; and all at once, with
        `drop_all`, so that the unconditional model that guidance needs is trained well.
        """
        rows, positions = len(draws.indices), list(self._specs)
        keep_any = draws.uniform(Purpose.DROP_ALL) >= self._drop_all
        joined = Condition()
        for name in self._conditioners:
            conditioner: Any = self._conditioners[name]
            part = conditioner.null(rows, frame)
            if name in self._specs:
                drawn = draws.uniform(Purpose.DROP_FIRST + positions.index(name))
                keep = (drawn >= self._specs[name].drop) & keep_any
                part = where(keep.to(device), conditioner(prepared[name], frame), part)
            joined = joined.union(Condition.of({name: part}).to(device, torch.float32))
        return joined


def fit(
    conditioners: Mapping[str, Component],
    specs: Mapping[str, InputSpec],
    dataset: Dataset[Any],
    most: int,
    out: Path,
) -> None:
    """Fit the conditioners on the first training samples, or take back what was fitted before.

    Args:
        conditioners: name -> component.
        specs: where the inputs of each come from.
        dataset: the training samples.
        most: how many of them are looked at.
        out: folder of the run, which keeps what was fitted.
    """
    for name, component in conditioners.items():
        conditioner = component.module
        folder = out / "assets" / name
        if folder.is_dir():
            conditioner.set_assets({path.name: path.read_bytes() for path in folder.iterdir()})
            continue
        count = min(most, len(dataset))  # type: ignore[arg-type]
        samples = (dataset[k] for k in range(count))
        conditioner.fit(inputs_of(conditioner, samples, specs[name].source))
        assets = conditioner.assets()
        if assets:
            with atomic_folder(folder) as beside:
                for file, data in assets.items():
                    write_bytes(beside / file, data)


def check_sources(specs: Mapping[str, InputSpec], sample: Mapping[str, Any], what: str) -> None:
    """Check that a data sample has every field that is asked for; `what` asks, by name.

    Raises:
        InvalidConfigError: it has not; lists what it has.
    """
    for name, spec in specs.items():
        if spec.source not in sample:
            raise InvalidConfigError(
                f"{what} '{name}' wants '{spec.source}' of each data sample. "
                f"{suggestion(spec.source, sample)}"
            )


def inputs_of(conditioner: Any, samples: Iterable[Mapping[str, Any]], source: str) -> Iterator[Any]:
    """Yield a field of each sample as an input of a conditioner.

    Raises:
        InvalidInputError: it is not what the conditioner's `Input` asks for.
    """
    for sample in samples:
        yield read_input(conditioner.Input, sample[source], f"'{source}' of the data")


def moved(batch: Any, device: torch.device) -> Any:
    """Return a batch, tensors in mappings, on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: moved(value, device) for key, value in batch.items()}
    return batch
