"""What the features of a cache were made with."""

import hashlib
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from latelier.checkpoints.component import Component, assets_of
from latelier.contracts.errors import DataError
from latelier.contracts.frozen import Frozen
from latelier.io.atomic import write_json
from latelier.training.data.cache.identity import CacheIdentity

IDENTITY_FILE = "cache.json"

VERSION = 5
"""Version of the code that makes features; another number makes old ones unusable.

A test fails where the code gives other values under the same number.
"""


class FeatureIdentity(Frozen):
    """What determines the features of a conditioner, apart from its inputs.

    Attributes:
        version: Of the code.
        conditioner: Component id.
        distribution: Version of the distribution that the conditioner belongs to.
        config_sha256: Of its configuration.
        weights_sha256: Of its weights in memory.
        assets_sha256: Of its other files, such as a vocabulary.
        dtype: Of the stored numbers.
        precision: That the conditioner computes in.
        first_stage: That the conditioner encodes pictures with; None: it encodes none.
        origin: The model that the conditioner comes from, for messages alone.
    """

    version: int
    conditioner: str
    distribution: str
    config_sha256: str
    weights_sha256: str
    assets_sha256: str
    dtype: str
    precision: str
    first_stage: CacheIdentity | None
    origin: str

    def describe(self) -> str:
        """Return the conditioner as messages name it."""
        stage = "" if self.first_stage is None else f", first stage {self.first_stage.describe()}"
        return (
            f"'{self.conditioner}' of '{self.origin}' (version {self.distribution}, configuration "
            f"{self.config_sha256[:12]}, weights {self.weights_sha256[:12]}, assets "
            f"{self.assets_sha256[:12]}, {self.dtype}, computed in {self.precision}, code version "
            f"{self.version}{stage})"
        )

    def without_names(self) -> "FeatureIdentity":
        """Return the identity without what is for messages alone."""
        stage = self.first_stage
        unnamed = None if stage is None else stage.model_copy(update={"source": ""})
        return self.model_copy(update={"origin": "", "first_stage": unnamed})


def identify_features(
    conditioner: Component,
    origin: str,
    dtype: str,
    precision: str = "float32",
    first_stage: CacheIdentity | None = None,
) -> FeatureIdentity:
    """Return the identity of the features of a conditioner that comes from a model."""
    return FeatureIdentity(
        version=VERSION,
        conditioner=conditioner.id,
        distribution=conditioner.version,
        config_sha256=conditioner.config_sha256,
        weights_sha256=_hash_weights(conditioner.module),
        assets_sha256=_hash_assets(conditioner.module),
        dtype=dtype,
        precision=precision,
        first_stage=first_stage,
        origin=origin,
    )


def write_feature_identity(folder: Path, identity: FeatureIdentity) -> None:
    """Write the identity of new features."""
    write_json(folder / IDENTITY_FILE, identity.model_dump())


def check_feature_identity(folder: Path, name: str, expected: FeatureIdentity) -> None:
    """Check that stored features are those of the expected conditioner.

    Raises:
        DataError: there are none, or they are another conditioner's; the error names both.
    """
    path = folder / IDENTITY_FILE
    try:
        stored = FeatureIdentity.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(
            f"{folder}: holds no features of the conditioner '{name}'; 'latelier data cache' "
            "writes them"
        ) from None
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: cannot be read: {reason}; delete {folder}") from None
    if stored.without_names() != expected.without_names():
        raise DataError(
            f"{folder}: holds features of {stored.describe()}, expected those of "
            f"{expected.describe()}; delete it and run 'latelier data cache' again, or name "
            "another folder in data.cache"
        )


def _hash_weights(module: nn.Module) -> str:
    """Return the SHA-256 of all tensors of a module, with their names.

    A file's hash would not do: weights may be random, merged with a LoRA, or copied.
    """
    digest = hashlib.sha256()
    tensors: dict[str, Tensor] = module.state_dict()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _hash_assets(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(assets_of(module).items()):
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()
