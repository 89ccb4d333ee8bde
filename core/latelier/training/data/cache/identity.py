"""What the latents of a cache were made with."""

from pathlib import Path

from pydantic import ValidationError

from latelier.checkpoints.component import Component
from latelier.contracts.errors import DataError
from latelier.contracts.frozen import Frozen
from latelier.io.atomic import write_json

IDENTITY_FILE = "cache.json"

VERSION = 3
"""Version of the code that makes views and latents; another number makes old caches unusable.

A test fails where the code gives other values under the same number.
"""


class CacheIdentity(Frozen):
    """What determines the latents of a cache, apart from the pictures and their views.

    Attributes:
        version: Of the code.
        first_stage: Component id of the first stage.
        config_sha256: Of its configuration.
        weights_sha256: Of its weights; None if it has none.
        dtype: Of the stored numbers.
        source: Where the first stage was read from, for messages alone.
    """

    version: int
    first_stage: str
    config_sha256: str
    weights_sha256: str | None
    dtype: str
    source: str

    def describe(self) -> str:
        """Return the first stage as messages name it."""
        weights = "none" if self.weights_sha256 is None else self.weights_sha256[:12]
        return (
            f"'{self.first_stage}' of '{self.source}' (configuration {self.config_sha256[:12]}, "
            f"weights {weights}, {self.dtype}, code version {self.version})"
        )


def identify(first_stage: Component, source: str, dtype: str) -> CacheIdentity:
    """Return the identity of a cache of a first stage's latents."""
    return CacheIdentity(
        version=VERSION,
        first_stage=first_stage.id,
        config_sha256=first_stage.config_sha256,
        weights_sha256=first_stage.weights_sha256,
        dtype=dtype,
        source=source,
    )


def write_identity(folder: Path, identity: CacheIdentity) -> None:
    """Write the identity of a new cache."""
    write_json(folder / IDENTITY_FILE, identity.model_dump())


def check_identity(folder: Path, expected: CacheIdentity) -> None:
    """Check that a cache is one of the expected first stage.

    Raises:
        DataError: there is no cache, or it is another first stage's; the error names both.
    """
    path = folder / IDENTITY_FILE
    try:
        stored = CacheIdentity.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{folder}: holds no cache; 'latelier data cache' writes one") from None
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: cannot be read: {reason}; delete the cache") from None
    compared = stored.model_copy(update={"source": expected.source})
    if compared != expected:
        raise DataError(
            f"{folder}: holds latents of the first stage {stored.describe()}, expected those of "
            f"{expected.describe()}; name another folder in data.cache, or that first stage"
        )
