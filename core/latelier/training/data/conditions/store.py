"""The outputs of one frozen conditioner for the views of a cache."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latelier.checkpoints.component import Component
from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.data.pictures import UnusableError
from latelier.training.configs.data import DataConfig
from latelier.training.data.cache.identity import CacheIdentity
from latelier.training.data.cache.plan import CacheTask
from latelier.training.data.cache.shards import CachedView
from latelier.training.data.cache.stores import Store
from latelier.training.data.features.features import FEATURES_FOLDER
from latelier.training.data.features.identity import (
    IDENTITY_FILE,
    FeatureIdentity,
    check_feature_identity,
    identify_features,
    write_feature_identity,
)
from latelier.training.data.features.parts import split_part
from latelier.training.data.features.values import (
    VIEW_FIELDS,
    FrozenConditions,
    changes_inputs,
    check_cacheable,
    value_key,
)
from latelier.training.data.randomness import DataPurpose, data_generator
from latelier.training.data.scene_source import SceneSource
from latelier.training.data.source import SampleSource

_SIZE = "size"


@dataclass(frozen=True)
class PictureEncoder:
    """The first stage of a training.

    Attributes:
        module: The first stage.
        identity: Of its latents.
        precision: That a training computes conditions in: torch.float32 or torch.bfloat16.
    """

    module: Any
    identity: CacheIdentity
    precision: torch.dtype


class ConditionStore(Store):
    """The outputs of a conditioner, each for one view of a sample.

    Inputs that training would change at random, such as masks, are changed once for each view, by
    the seed of the data, the sample and the number of the view.
    """

    def __init__(
        self, name: str, frozen: FrozenConditions, data: DataConfig, encoder: PictureEncoder
    ) -> None:
        """Create the store; nothing is read or written.

        Args:
            name: of the conditioner.
            frozen: the conditioners, one of them of that name.
            data: the configuration; it has a cache.
            encoder: encodes the pictures of inputs.

        Raises:
            InvalidConfigError: the outputs of the conditioner cannot be stored.
        """
        assert data.cache is not None
        check_cacheable(name, frozen, data)
        self._name = name
        self._component: Component = frozen.components[name]
        self._conditioner: Any = self._component.module
        self._origin = frozen.origin
        self._field = frozen.sources[name]
        self._dtype = data.cache.dtype
        self._seed = data.seed
        self._encoder = encoder
        self.folder = data.cache.folder / FEATURES_FOLDER / name
        self.is_random = changes_inputs(self._conditioner)

    def check(self) -> None:
        check_feature_identity(self.folder, self._name, self._identify())

    def prepare_folder(self) -> None:
        if (self.folder / IDENTITY_FILE).exists():
            self.check()
        else:
            write_feature_identity(self.folder, self._identify())

    def key_of(self, task: CacheTask, source: SampleSource) -> str:
        values: list[Any] = [task.key]
        if self.is_random:
            values += [self._seed, source.sample_name(task.number), task.view]
        if self._field not in VIEW_FIELDS and not isinstance(source, SceneSource):
            values += map(value_key, source.list_values(task.number, self._field))
        if len(values) == 1:
            return task.key
        return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()

    def prepare(self, sample: Mapping[str, Any], task: CacheTask, name: str) -> dict[str, Any]:
        if self._field not in sample:
            raise UnusableError(f"it has no '{self._field}'")
        height, width = sample["image"].shape[-2:]
        try:
            value = read_input(
                self._conditioner.Input,
                sample[self._field],
                f"'{self._field}' of the data",
                trusted=False,
            )
            if self.is_random:
                value = self._conditioner.augment(value, self._generator(name, task.view))
            prepared = self._conditioner.prepare([value], self._geometry((height, width)))
        except InvalidInputError as error:
            raise UnusableError(str(error)) from None
        return {**prepared, _SIZE: (height, width)}

    @torch.no_grad()
    def encode(
        self, keys: Sequence[str], rows: Sequence[Mapping[str, Any]], device: torch.device
    ) -> list[CachedView]:
        first_stage = self._encoder.module.to(device)
        batch = {
            name: torch.cat([row[name] for row in rows]).to(device)
            for name, each in rows[0].items()
            if isinstance(each, Tensor)
        }
        geometry = self._geometry(rows[0][_SIZE], first_stage)
        precision = self._encoder.precision
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            part = self._conditioner.to(device)(batch, geometry)
        stored = split_part(part, getattr(torch, self._dtype))
        return [CachedView(key, {}, each) for key, each in zip(keys, stored, strict=True)]

    def _geometry(self, size: tuple[int, int], first_stage: Any = None) -> PictureGeometry:
        f = self._encoder.module.config.downsampling
        return PictureGeometry(size, (size[0] // f, size[1] // f), first_stage=first_stage)

    def _generator(self, name: str, view: int) -> np.random.Generator:
        """Return the generator of the random changes of a sample's input in a view."""
        text = f"{self._name} {name}"
        number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")
        return data_generator(self._seed, DataPurpose.CONDITION, number, view)

    def _identify(self) -> FeatureIdentity:
        precision = str(self._encoder.precision).removeprefix("torch.")
        return identify_features(
            self._component, self._origin, self._dtype, precision, self._encoder.identity
        )
