"""The views of a cache: which crops and flips are stored of each sample, and their keys."""

import hashlib
import json
from typing import Any

import numpy as np

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.data import DataConfig
from latelier.training.data.cache.hashes import FileHashes
from latelier.training.data.randomness import DataPurpose, data_generator
from latelier.training.data.records import picture_size
from latelier.training.data.source import SampleSource
from latelier.training.data.views import Size


def check_views(config: DataConfig, are_random: bool) -> None:
    """Check that the number of views fits crops and flips.

    Args:
        config: of the data; it has a cache.
        are_random: whether conditions differ between views, such as masks.

    Raises:
        InvalidConfigError: random crops or flips with one view, or several views that are all the
            same.
    """
    assert config.cache is not None
    is_random = config.crop == "random" or config.flip
    if is_random and config.cache.views == 1:
        raise InvalidConfigError(
            "data.cache: 'crop: random' and 'flip' show a picture differently each time, and a "
            "cache holds a fixed number of views: set data.cache.views, such as 4, or "
            "'crop: center' and 'flip: false'"
        )
    if not (is_random or are_random) and config.cache.views > 1:
        raise InvalidConfigError(
            f"data.cache.views: {config.cache.views} views of a picture are the same without "
            "'crop: random', 'flip: true' or conditioners that are random, such as masks; set it "
            "to 1"
        )


def view_generator(name: str, view: int, config: DataConfig) -> np.random.Generator:
    """Return the generator of a sample's crop and flip in a view."""
    number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big")
    return data_generator(config.seed, DataPurpose.CACHED_VIEW, number, view)


def view_key(
    source: SampleSource,
    number: int,
    view: int,
    size: Size | None,
    config: DataConfig,
    hashes: FileHashes,
) -> str:
    """Return the key of a view: a hash of all that determines it, apart from the first stage.

    Raises:
        UnusableError: a file of the sample cannot be read.
    """
    values: dict[str, Any] = {
        "content": source.content_key(number, hashes.get),
        "size": size or picture_size(config),
        "resize": config.resize,
        "crop": config.crop,
    }
    if config.crop == "random" or config.flip:
        values |= {
            "crop_scale": config.crop_scale,
            "flip": config.flip,
            "seed": config.seed,
            "name": source.sample_name(number),
            "view": view,
        }
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()
