"""The latents of views, with the fields that depend on the view."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.scaling import normalize, normalize_log_variance
from latelier.training.data.cache.identity import (
    IDENTITY_FILE,
    CacheIdentity,
    check_identity,
    write_identity,
)
from latelier.training.data.cache.plan import CacheTask
from latelier.training.data.cache.shards import CachedView
from latelier.training.data.cache.stores import Store
from latelier.training.data.scene_source import REFERENCE_FIELDS
from latelier.training.data.source import SampleSource


class LatentStore(Store):
    """The latents of views, and their layouts, maps and masks.

    Attributes:
        identity: What the latents are made with.
    """

    def __init__(self, folder: Path, identity: CacheIdentity, first_stage: Any) -> None:
        """Create the store of the latents of a first stage, a module."""
        self.folder = folder
        self.identity = identity
        self._first_stage = first_stage

    def check(self) -> None:
        check_identity(self.folder, self.identity)

    def prepare_folder(self) -> None:
        if (self.folder / IDENTITY_FILE).exists():
            self.check()
        else:
            write_identity(self.folder, self.identity)

    def key_of(self, task: CacheTask, source: SampleSource) -> str:  # noqa: ARG002
        return task.key

    def prepare(
        self,
        sample: Mapping[str, Any],
        task: CacheTask,  # noqa: ARG002
        name: str,  # noqa: ARG002
    ) -> dict[str, Any]:
        fields = {
            field: torch.from_numpy(_to_signed(value)) if isinstance(value, np.ndarray) else value
            for field, value in sample.items()
            if field not in ("index", *REFERENCE_FIELDS)
        }
        return {"image": fields.pop("image"), **fields}

    def encode(
        self, keys: Sequence[str], rows: Sequence[Mapping[str, Any]], device: torch.device
    ) -> list[CachedView]:
        images = torch.stack([row["image"] for row in rows])
        name, encoded = encode_pictures(self._first_stage.to(device), images.to(device))
        stored = encoded.to("cpu", getattr(torch, self.identity.dtype))
        views = []
        for key, row, latents in zip(keys, rows, stored, strict=True):
            tensors: dict[str, Tensor] = {name: latents}
            tensors |= {
                field: value
                for field, value in row.items()
                if isinstance(value, Tensor) and field != "image"
            }
            fields = {field: each for field, each in row.items() if not isinstance(each, Tensor)}
            views.append(CachedView(key, fields, tensors))
        return views


def encode_pictures(first_stage: Any, images: Tensor) -> tuple[str, Tensor]:
    """Return "moments" (B, 2 C, h, w) of a Gaussian posterior, or else "latents" (B, C, h, w).

    Moments are mean and log-variance of the latents as the denoiser takes them, so normalized.
    """
    with torch.no_grad():
        if not isinstance(first_stage, AutoencoderKL):
            return "latents", first_stage.encode(images)
        mean, logvar = first_stage.posterior(images)
        config = first_stage.config
        moments = normalize(mean, config), normalize_log_variance(logvar, config)
        return "moments", torch.cat(moments, dim=1)


def _to_signed(array: Any) -> Any:
    """Return labels as a type that safetensors has in every version."""
    return array.astype(np.int32) if array.dtype == np.uint16 else array
