"""Conditions of training batches: inputs read, augmented, prepared, encoded, and dropped."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latelier.checkpoints.component import Component
from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, ConditionPart, where
from latelier.contracts.errors import InvalidConfigError, InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.contracts.messages import suggestion
from latelier.data.pictures import UnusableError
from latelier.io.atomic import atomic_folder, write_bytes
from latelier.training.configs.components import InputSource
from latelier.training.data.features.parts import join_part, stack_rows
from latelier.training.data.features.values import changes_inputs
from latelier.training.data.samples import TrainingSamples
from latelier.training.prepared import PreparedRow, join_rows, list_rows
from latelier.training.randomness import Draws, Purpose, make_generator

PREPARED = "prepared"
"""The field of a sample with what conditioners have prepared for it, by their names."""


class Conditioning:
    """The conditioners of a training.

    A row of a batch loses conditions in one of three ways, drawn by its position: with probability
    `drop_all` all of them, which trains the unconditional model that guidance needs; with
    `keep_one` all but one; else each by itself with its own probability, so that every subset of
    the conditions occurs.

    Attributes:
        sources: Source and drop-out of each conditioner's input, by the conditioner's name. A
            conditioner without a source always gives its null part.
    """

    def __init__(
        self,
        conditioners: nn.ModuleDict,
        sources: Mapping[str, InputSource],
        drop_all: float,
        keep_one: float,
        seed: int,
    ) -> None:
        self.sources = sources
        self._conditioners = conditioners
        self._drop_all = drop_all
        self._keep_one = keep_one
        self._seed = seed
        self._nulls: dict[tuple[str, int, tuple[int, int]], ConditionPart] = {}

    def prepare(
        self, samples: Sequence[Mapping[str, Any]], geometry: PictureGeometry
    ) -> dict[str, Any]:
        """Return what each conditioner prepares for data samples, by name.

        Those whose outputs the samples have as "features" are left out. Data workers call it, so
        `geometry` has no first stage.
        """
        stored = samples[0].get("features", {})
        prepared = {}
        for name in self.sources:
            if name in stored:
                continue
            joined = join_rows([sample.get(PREPARED, {}).get(name) for sample in samples])
            if joined is None:
                conditioner: Any = self._conditioners[name]
                joined = conditioner.prepare(list(self.augment(name, samples)), geometry)
            prepared[name] = joined
        return prepared

    def stack_features(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Tensor]]:
        """Return the stored outputs of conditioners for data samples, by name."""
        return {
            name: stack_rows([sample["features"][name] for sample in samples])
            for name in samples[0].get("features", {})
        }

    def augment(self, name: str, samples: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
        """Yield a conditioner's augmented input for each sample, random by the sample's index."""
        conditioner: Any = self._conditioners[name]
        purpose = Purpose.AUGMENT_FIRST + list(self.sources).index(name)
        inputs = read_inputs(conditioner, samples, self.sources[name].source)
        if not changes_inputs(conditioner):  # it would draw nothing
            yield from inputs
            return
        for sample, value in zip(samples, inputs, strict=True):
            generator = make_generator(self._seed, 0, sample["index"], purpose)
            yield conditioner.augment(value, generator)

    def list_fields(self) -> dict[str, int | None]:
        """Return the sample's fields that are read, each with its number of labels or None."""
        return {
            each.source: getattr(self._conditioners[name].config, "num_classes", None)
            for name, each in self.sources.items()
        }

    def prepare_samples(
        self, samples: Sequence[Mapping[str, Any]], geometry: PictureGeometry
    ) -> list[dict[str, dict[str, PreparedRow]]]:
        """Check that the conditioners can use samples, and return the field `PREPARED` of each.

        Pictures are not prepared: it takes long, and reading the sample has checked them. Maps of
        labels are, since only their pixels show that a label is out of range.

        Raises:
            UnusableError: a field is missing, or a conditioner refuses one, such as a long text.
        """
        prepared: list[dict[str, PreparedRow]] = [{} for _ in samples]
        for name, each in self.sources.items():
            if name in samples[0].get("features", {}):
                continue  # the conditioner took it when the features were stored
            conditioner: Any = self._conditioners[name]
            if not all(each.source in sample for sample in samples):
                raise UnusableError(f"it has no '{each.source}'")
            try:
                config = conditioner.config
                if config.outputs().spatial is not None and not hasattr(config, "num_classes"):
                    list(read_inputs(conditioner, samples, each.source))
                    continue
                batch = conditioner.prepare(list(self.augment(name, samples)), geometry)
            except InvalidInputError as error:
                raise UnusableError(str(error)) from None
            for fields, row in zip(prepared, list_rows(batch, len(samples)), strict=True):
                fields[name] = row
        return [{PREPARED: fields} for fields in prepared]

    def draw_kept(self, draws: Draws) -> dict[str, Tensor]:
        """Return the rows that keep each condition, bool (B,), by the conditioner's name."""
        uniform = draws.uniform(Purpose.DROP_ALL)
        keep_any = uniform >= self._drop_all
        keep_one = keep_any & (uniform < self._drop_all + self._keep_one)
        # within its share the same number is uniform, and chooses the one that is kept
        share = (uniform - self._drop_all) / max(self._keep_one, 1e-12)
        chosen = (share * len(self.sources)).long().clamp(max=len(self.sources) - 1)
        kept = {}
        for k, (name, source) in enumerate(self.sources.items()):
            by_itself = draws.uniform(Purpose.DROP_FIRST + k) >= source.drop
            kept[name] = torch.where(keep_one, chosen == k, by_itself & keep_any)
        return kept

    def keep_all(self, rows: int) -> dict[str, Tensor]:
        """Return what `draw_kept` returns where nothing is dropped."""
        return {name: torch.ones(rows, dtype=torch.bool) for name in self.sources}

    def negative_batch(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Return a batch for `encode` whose condition guidance compares with that of `batch`.

        Conditions become null, but for those that guidance keeps and spatial parts that are not
        guided, as `ConditionBuilder.negative_condition` does it.
        """
        configs: dict[str, Any] = {name: each.config for name, each in self._conditioners.items()}
        held = {
            name
            for name, config in configs.items()
            if config.is_kept_in_negative
            or (config.outputs().spatial is not None and not config.is_guided)
        }
        parts = ("conditions", "features")
        return {
            **batch,
            **{
                part: {name: batch[part][name] for name in held & batch[part].keys()}
                for part in parts
            },
        }

    def describe(self) -> list[str]:
        """Return a line for each conditioner: its source and how often it is dropped."""
        lines = [
            f"condition '{name}': always null, since it has no source"
            for name in self._conditioners
            if name not in self.sources
        ]
        for name, source in self.sources.items():
            lines.append(f"condition '{name}': from '{source.source}', dropped {source.drop:.0%}")
        if self.sources:
            lines.append(
                f"all conditions dropped {self._drop_all:.0%}, all but one {self._keep_one:.0%}"
            )
        return lines

    def encode(
        self,
        batch: Mapping[str, Any],
        kept: Mapping[str, Tensor],
        geometry: PictureGeometry,
        device: torch.device,
    ) -> Condition:
        """Return the condition of a batch; null parts replace the rows that are not kept.

        Args:
            batch: "index", "conditions" of `prepare`, and "features" of `stack_features`.
            kept: rows that keep each condition.
            geometry: of the pictures.
            device: of the result.
        """
        rows, prepared, features = len(batch["index"]), batch["conditions"], batch["features"]
        condition = Condition()
        for name in self._conditioners:
            conditioner: Any = self._conditioners[name]
            if name in features:
                null = self._find_null(name, rows, geometry)
                part = where(kept[name].to(device), join_part(features[name]), null)
            else:
                part = conditioner.null(rows, geometry)
            if name in prepared:
                part = where(kept[name].to(device), conditioner(prepared[name], geometry), part)
            condition = condition.union(Condition.of({name: part}).to(device, torch.float32))
        return condition

    def _find_null(self, name: str, rows: int, geometry: PictureGeometry) -> ConditionPart:
        """Return the null part of a conditioner whose outputs are stored, so never change.

        It is computed once for each number of rows and size: it may encode a picture.
        """
        key = name, rows, geometry.size
        if key not in self._nulls:
            conditioner: Any = self._conditioners[name]
            with torch.no_grad():
                self._nulls[key] = conditioner.null(rows, geometry)
        return self._nulls[key]


def fit_conditioners(
    conditioners: Mapping[str, Component],
    sources: Mapping[str, InputSource],
    dataset: TrainingSamples,
    max_samples: int,
    out: Path,
    is_new: bool,
    fitted: Collection[str] = (),
) -> None:
    """Fit conditioners on the first training samples, or restore what an earlier call fitted.

    Args:
        conditioners: Conditioners by name.
        sources: Sources of their inputs, by the same names; one without a source stays as it is.
        dataset: The training samples.
        max_samples: Number of samples to fit on, at most.
        out: Folder of the run; what is fitted is stored in its folder "assets".
        is_new: Whether to fit, even if a run that took no step left something there.
        fitted: Names of those that come from a trained model, which are only extended.
    """
    for name, component in conditioners.items():
        conditioner = component.module
        folder = out / "assets" / name
        if folder.is_dir() and not is_new:
            conditioner.set_assets({path.name: path.read_bytes() for path in folder.iterdir()})
            continue
        if name not in sources:
            continue
        source = sources[name].source
        positions = range(min(max_samples, len(dataset)))
        samples = (_describe(dataset, position, source) for position in positions)
        learn = conditioner.extend if name in fitted else conditioner.fit
        learn(read_inputs(conditioner, (s for s in samples if source in s), source))
        assets = conditioner.assets()
        if assets:
            with atomic_folder(folder) as partial:
                for file, data in assets.items():
                    write_bytes(partial / file, data)


def _describe(dataset: TrainingSamples, position: int, source: str) -> dict[str, Any]:
    """Return a sample, without its picture if the source needs none."""
    described = dataset.describe(position)
    return described if source in described else dataset[position]


def check_sources(sources: Mapping[str, InputSource], fields: Collection[str], label: str) -> None:
    """Check that data samples have the source of each input.

    Args:
        sources: of the inputs, by name.
        fields: that some samples have.
        label: what the names are, for errors.

    Raises:
        InvalidConfigError: a source is not among the fields.
    """
    for name, each in sources.items():
        if each.source not in fields:
            raise InvalidConfigError(
                f"{label} '{name}': the data samples have no field '{each.source}'. "
                f"{suggestion(each.source, fields)}"
            )


def read_inputs(
    conditioner: Any, samples: Iterable[Mapping[str, Any]], source: str
) -> Iterator[Any]:
    """Yield the field `source` of each sample as the conditioner's `Input`.

    Data are not trusted: a caption that is the path of a file must not open it as a picture.

    Raises:
        InvalidInputError: the field's value is not a valid input.
    """
    for sample in samples:
        yield read_input(
            conditioner.Input, sample[source], f"'{source}' of the data", trusted=False
        )


def to_device(batch: Any, device: torch.device) -> Any:
    """Return a batch of nested dicts with its tensors on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    return batch
