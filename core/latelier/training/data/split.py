"""The held-out samples of a data set."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from latelier.contracts.errors import DataError
from latelier.data.manifest.manifest import Manifest
from latelier.training.configs.data import HeldOutConfig

_MIN_HELD_OUT = 8
"""Held-out samples without which validation would be left to chance."""


def split_samples(
    manifest: Manifest, config: HeldOutConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the samples to train on and of those to hold out.

    A sample is held out by the hash of its name and the seed, so it stays on its side when the data
    set grows and its share is large enough. At least 8 samples are held out, or a quarter of fewer
    than 32; at least one sample is on each side.

    Args:
        manifest: of all samples.
        config: the share and the seed.

    Raises:
        DataError: there is only one sample.
    """
    if len(manifest) < 2:
        raise DataError(
            f"{manifest.origin}: has one picture; training needs at least two, one of them to hold "
            "out, or another data set in held_out.path"
        )
    places = np.array([held_out_place(record.name, config.seed) for record in manifest])
    least = max(min(_MIN_HELD_OUT, len(places) // 4), 1)
    limit = max(config.share, np.partition(places, least - 1)[least - 1])
    held_out = places <= limit
    if held_out.all():
        held_out = places < places.max()
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def held_out_place(name: str, seed: int) -> float:
    """Return a number in [0, 1), by the name and the seed alone; low ones are held out."""
    digest = hashlib.blake2b(name.encode(), digest_size=6, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big") / 2**48
