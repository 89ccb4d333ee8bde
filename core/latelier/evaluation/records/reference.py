"""What is known of reference pictures, and its file.

The file has the exact sums of all features, so that files of parts of a data set merge into that of
the whole; and the features of some pictures, those with the lowest hashes, for the same reason.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from latelier.checkpoints.io.weights import write_weights
from latelier.contracts.errors import DataError
from latelier.contracts.features import FeatureStatistics
from latelier.metrics.feature_sums import FeatureSums

_METADATA = "reference"


@dataclass(frozen=True, eq=False)
class StoredReference:
    """What is known of reference pictures.

    Attributes:
        sums: Of the features of all pictures.
        features: Float32 (K, D), of the pictures with the lowest keys.
        keys: Int64 (K,), ascending: hashes of data set and index.
        limit: Most features that are kept.
        facts: JSON values: "network" (its identity), "network_name", "name" of the data, "size",
            and "data", a list of what determines the samples, each with its "source", the number
            of "pictures" and, if there are more of them, of "records".
    """

    sums: FeatureSums
    features: Tensor
    keys: Tensor
    limit: int
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the pictures are."""
        return str(self.facts["name"])

    @property
    def count(self) -> int:
        """Number of pictures."""
        return self.sums.count

    @property
    def statistics(self) -> FeatureStatistics:
        """Mean and covariance of the features of all pictures."""
        return self.sums.statistics()

    def merge(self, other: "StoredReference") -> "StoredReference":
        """Return what is known of the pictures of both.

        Raises:
            DataError: they are of another network, size or limit, or have a picture in common.
        """
        for fact in ("network", "size"):
            if self.facts[fact] != other.facts[fact]:
                raise DataError(
                    f"references of another {fact} cannot be merged: {self.facts[fact]} and "
                    f"{other.facts[fact]}"
                )
        if self.limit != other.limit:
            raise DataError(
                f"references that keep {self.limit} and {other.limit} features cannot be merged"
            )
        keys, features = keep_lowest(
            torch.cat([self.keys, other.keys]),
            torch.cat([self.features, other.features]),
            self.limit,
        )
        if (keys[1:] == keys[:-1]).any():
            raise DataError("references with a picture in common cannot be merged")
        own = self.facts["data"]
        data = [*own, *(each for each in other.facts["data"] if each not in own)]
        data.sort(key=json.dumps)
        names = sorted({*self.name.split(" + "), *other.name.split(" + ")})
        facts = {**self.facts, "data": data, "name": " + ".join(names)}
        return StoredReference(self.sums + other.sums, features, keys, self.limit, facts)


def measure_reference(
    chunks: Iterable[tuple[Tensor, Tensor]], facts: Mapping[str, Any], limit: int
) -> StoredReference:
    """Return what is known of pictures by the indices (B,) and features (B, D) of their chunks.

    Args:
        chunks: of the pictures of one data set.
        facts: of the reference.
        limit: most features that are kept.

    Raises:
        DataError: there are no pictures.
    """
    (data,) = facts["data"]
    reference: StoredReference | None = None
    for indices, features in chunks:
        keys, kept = keep_lowest(_hash(data, indices), features, limit)
        part = StoredReference(FeatureSums.from_features(features), kept, keys, limit, facts)
        reference = part if reference is None else reference.merge(part)
    if reference is None:
        raise DataError(f"{facts['name']}: no picture can be used as a reference")
    return reference


def keep_lowest(keys: Tensor, features: Tensor, limit: int) -> tuple[Tensor, Tensor]:
    """Return the lowest keys, at most `limit` and ascending, and their features."""
    order = keys.argsort()[:limit]
    return keys[order], features[order]


def merge_references(references: Sequence[StoredReference]) -> StoredReference:
    """Return what is known of the pictures of all references; the order does not matter.

    Raises:
        DataError: see `StoredReference.merge`.
    """
    return reduce(StoredReference.merge, references)


def write_reference(path: Path, reference: StoredReference) -> None:
    """Write the file of a reference.

    Raises:
        OSError: it cannot be written.
    """
    sums = reference.sums
    tensors = {"sum": sums.sum, "outer": sums.outer}
    tensors |= {"features": reference.features, "keys": reference.keys}
    header = {
        "format": 1,
        "count": sums.count,
        "limit": reference.limit,
        "facts": dict(reference.facts),
    }
    write_weights(path, tensors, {_METADATA: json.dumps(header)})


def read_reference(path: Path) -> StoredReference:
    """Read the file of a reference.

    Raises:
        DataError: it is missing, damaged, or of another kind.
    """
    if not path.is_file():
        raise DataError(f"{path}: not found; expected the file of a reference")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_METADATA])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return StoredReference(
            FeatureSums(int(header["count"]), tensors["sum"], tensors["outer"]),
            tensors["features"],
            tensors["keys"],
            int(header["limit"]),
            header["facts"],
        )
    except SafetensorError as error:
        raise DataError(f"{path}: is damaged: {error}") from None
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{path}: is no reference; `latelier evaluate reference` writes one"
        ) from None


def _hash(data: Mapping[str, Any], indices: Tensor) -> Tensor:
    """Return a key of each picture, int64 (B,), 0 or more: a hash of its data set and record.

    So it is the same in any choice of pictures of a data set.
    """
    source = json.dumps(data["source"], sort_keys=True)
    pictures, records = data["pictures"], data.get("records", data["pictures"])
    keys = [
        hashlib.blake2b(f"{source}:{index * records // pictures}".encode(), digest_size=8).digest()
        for index in indices.tolist()
    ]
    return torch.tensor([int.from_bytes(key) >> 1 for key in keys], dtype=torch.int64)
