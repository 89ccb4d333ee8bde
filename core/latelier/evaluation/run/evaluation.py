"""An evaluation that is ready to compute its chunks, whatever process computes them."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import torch

from latelier.contracts.errors import CompatibilityError, InvalidConfigError, LatelierError
from latelier.contracts.features import FeatureNetwork
from latelier.contracts.measures import Measure, WeightedMeasure
from latelier.contracts.messages import suggestion
from latelier.evaluation.protocol.config import Choice, EvaluationConfig
from latelier.evaluation.samples.opening import open_paired_samples, open_samples
from latelier.evaluation.samples.samples import Samples
from latelier.evaluation.tasks.model import EvaluatedModel
from latelier.evaluation.tasks.pictures import Pictures
from latelier.io.hashing import sha256_of
from latelier.kernel.atelier import Atelier
from latelier.pipeline import Pipeline, load
from latelier.pipeline.placement import resolve_device
from latelier.pipeline.request import KEYWORDS
from latelier.pipeline.storage.manifest_header import MANIFEST
from latelier.pipeline.storage.sources import find

_MADE_BY_RUN = frozenset({"n", "seed", "size", "batch_size", "init_image", "mask"})
"""Keywords of `Pipeline.generate` that the run itself gives."""

_OF_FEATURES = frozenset({"features", "logits", "reference"})
"""Needs of measures that record nothing of their own."""

OF_RUN = _OF_FEATURES | {"originals"}
"""Needs of measures that the run meets; all others are fields of samples."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that chunks are computed with.

    Attributes:
        config: what was asked for.
        samples: of the data.
        model: makes the pictures; None where they are given.
        network: gives the features; None where no measure needs them.
        measures: by their names in results.
        fields: of the samples that are read.
        device: of the networks and measures.
    """

    config: EvaluationConfig
    samples: Samples
    model: EvaluatedModel | None
    network: FeatureNetwork | None
    measures: Mapping[str, Measure]
    fields: frozenset[str]
    device: torch.device

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.samples.count

    @property
    def chunk_count(self) -> int:
        """Number of chunks."""
        return ceil(self.count / self.config.chunk_size)

    @property
    def needs(self) -> frozenset[str]:
        """What all measures need."""
        return frozenset[str]().union(*(each.needs for each in self.measures.values()))

    @property
    def recording(self) -> frozenset[str]:
        """Names of the measures that record columns of their own."""
        return frozenset(
            label
            for label, each in self.measures.items()
            if not each.needs or each.needs - _OF_FEATURES
        )

    @property
    def choices(self) -> Mapping[str, Any]:
        """The choice of each measure, as JSON values."""
        chosen = (each.model_dump(mode="json") for each in self.config.measures)
        return dict(zip(self.measures, chosen, strict=True))

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What determines the records, as JSON values."""
        return _list_facts(self)

    @cached_property
    def identity(self) -> str:
        """Hash of the facts: records of the same identity belong together."""
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()

    def indices(self, number: int) -> range:
        """Return the indices of the samples of a chunk."""
        size = self.config.chunk_size
        return range(number * size, min((number + 1) * size, self.count))


def prepare_evaluation(config: EvaluationConfig, atelier: Atelier) -> Evaluation:
    """Load all that an evaluation needs, and check that it is there.

    Without measures an evaluation records features alone, as those of reference pictures.

    Raises:
        InvalidConfigError: a measure needs what the configuration does not have.
        DataError: the data are missing or damaged, or lack a field.
        LatelierError: see `load`, and the network's and the measures' own errors.
    """
    measures = _build_measures(config, atelier)
    needs = frozenset[str]().union(*(each.needs for each in measures.values()))
    _check_needs(config, needs)
    fields = _fields_of_data(config, needs)
    device, _ = resolve_device(config.device, config.dtype)
    pipeline = _load_pipeline(config, atelier, device)
    samples = _open_samples(config, fields, pipeline)
    network = None
    if needs & {"features", "logits"} or not measures:
        network = _build(atelier, "feature_network", _require_network(config), "network")
    model = None if pipeline is None else _make_model(config, pipeline, samples)
    return Evaluation(
        config=config,
        samples=samples,
        model=model,
        network=network,
        measures=measures,
        fields=fields,
        device=device,
    )


def _build_measures(config: EvaluationConfig, atelier: Atelier) -> dict[str, Measure]:
    measures: dict[str, Measure] = {}
    for choice in config.measures:
        measure = _build(atelier, "measure", choice, "measures")
        name = atelier.measures.spec(choice.id).name
        same = sum(each.partition("-")[0] == name for each in measures)
        measures[f"{name}-{same + 1}" if same else name] = measure
    return measures


def _build(atelier: Atelier, kind: Any, choice: Choice, field: str) -> Any:
    try:
        return atelier.registries[kind].build(choice.id, choice.config)
    except LatelierError as error:
        raise type(error)(f"{field}: {error}") from None


def _check_needs(config: EvaluationConfig, needs: Collection[str]) -> None:
    if "reference" in needs and config.reference is None:
        raise InvalidConfigError(
            "reference: a measure compares with reference pictures, and none are named; set "
            "reference, such as {pictures: 10000} for those of the data"
        )


def _fields_of_data(config: EvaluationConfig, needs: Collection[str]) -> frozenset[str]:
    """Return the fields of samples that the data must have."""
    task = config.task
    inputs = task.inputs if config.inputs is None else config.inputs
    of_measures = set(needs) - OF_RUN | ({"image"} if "originals" in needs else set())
    return frozenset({*task.needs, *inputs.values(), *of_measures} - task.provides)


def _load_pipeline(
    config: EvaluationConfig, atelier: Atelier, device: torch.device
) -> Pipeline | None:
    if config.model is None:
        return None
    pipeline = load(config.model, device=device, dtype=config.dtype, atelier=atelier)
    for each in config.adapters:
        pipeline = pipeline.with_adapter(each.adapter, each.scale)
    return pipeline


def _open_samples(
    config: EvaluationConfig, fields: Collection[str], pipeline: Pipeline | None
) -> Samples:
    if isinstance(config.task, Pictures):
        return open_paired_samples(config.task, config.data, config.pictures, fields)
    size = None if pipeline is None else pipeline.defaults.size
    return open_samples(config.data, config.pictures, fields, size)


def _require_network(config: EvaluationConfig) -> Choice:
    if config.network is None:
        raise InvalidConfigError(
            "network: a measure compares features, and no network is named; set network"
        )
    return config.network


def _make_model(config: EvaluationConfig, pipeline: Pipeline, samples: Samples) -> EvaluatedModel:
    _check_options(config.generate)
    inputs = config.task.inputs if config.inputs is None else config.inputs
    missing = sorted(set(inputs) - set(pipeline.inputs))
    if missing:
        has = ", ".join(sorted(pipeline.inputs)) or "none"
        raise CompatibilityError(
            f"inputs: the model '{config.model}' has no input '{missing[0]}', only {has}; set "
            "inputs to its public inputs, each with a field of the samples"
        )
    return EvaluatedModel(pipeline, inputs, config.generate, config.seed, samples.size)


def _check_options(options: Collection[str]) -> None:
    known = KEYWORDS - _MADE_BY_RUN
    for name in sorted(options):
        if name not in known:
            raise InvalidConfigError(
                f"generate: '{name}' is no option of it. {suggestion(name, sorted(known))}"
            )


def _list_facts(evaluation: Evaluation) -> dict[str, Any]:
    fields = {
        "task", "inputs", "seed", "batch_size", "chunk_size", "generate", "threads", "dtype",
    }  # fmt: skip
    config, network = evaluation.config, evaluation.network
    given = config.model_dump(mode="json", include=fields)
    given["task"].pop("path", None)
    return {
        "format": 1,
        **given,
        "pictures": evaluation.count,
        "size": list(evaluation.samples.size),
        "data": dict(evaluation.samples.facts),
        "model": None if config.model is None else sha256_of(find(config.model).folder / MANIFEST),
        "adapters": [] if evaluation.model is None else _list_adapters(evaluation.model.pipeline),
        "network": None if network is None else network.identity,
        "measures": {label: evaluation.choices[label] for label in sorted(evaluation.recording)},
        "weights": {
            label: each.identity
            for label, each in evaluation.measures.items()
            if label in evaluation.recording and isinstance(each, WeightedMeasure)
        },
        "device": evaluation.device.type,
    }


def _list_adapters(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [
        {"weights": each.loaded.adapter.weights_sha256, "scale": each.strength.scale}
        for each in pipeline.adapters.values()
    ]
