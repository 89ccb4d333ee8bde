"""Batches of a denoiser's training: pictures, or latents of a cache, with weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.components import FirstStage, PictureGeometry
from latelier.training.randomness import Draws, Purpose

_FORMS = ("latents", "moments", "image")
"""The forms in which a sample holds its picture; the first that it has is used."""


def collate_samples(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a batch of samples whose pictures have one form and size.

    "index" is the list of positions. The pictures are one of

    latents  (B, C, h, w), scaled for the denoiser
    moments  (B, 2 C, h, w): mean and log-variance of the scaled latents
    image    (B, 3, H, W) in [-1, 1]

    "weight" is there if a sample has one: (B,), or (B, 1, H, W) if one is of pixels (H, W).
    """
    form = picture_form(samples[0])
    batch: dict[str, Any] = {
        form: torch.stack([torch.as_tensor(sample[form]) for sample in samples]),
        "index": [sample["index"] for sample in samples],
    }
    if any("weight" in sample for sample in samples):
        batch["weight"] = _stack_weights([sample.get("weight", 1.0) for sample in samples])
    return batch


def picture_form(sample: Mapping[str, Any]) -> str:
    """Return the form in which a sample or batch holds its picture."""
    return next(form for form in _FORMS if form in sample)


def geometry_of(batch: Mapping[str, Any], first_stage: FirstStage) -> PictureGeometry:
    """Return the geometry of the pictures of a batch or sample."""
    height, width = batch[picture_form(batch)].shape[-2:]
    f = first_stage.config.downsampling
    if picture_form(batch) != "image":
        height, width = height * f, width * f
    return PictureGeometry((height, width), (height // f, width // f), first_stage=first_stage)


def to_latents(batch: Mapping[str, Any], draws: Draws, first_stage: FirstStage) -> Tensor:
    """Return the latents of a batch, float32 (B, C, h, w); moments give a random sample."""
    if "latents" in batch:
        latents: Tensor = batch["latents"].float()
        return latents
    if "moments" in batch:
        mean, logvar = batch["moments"].float().chunk(2, dim=1)
        noise = draws.normal(Purpose.POSTERIOR, mean.shape[1:], mean.device)
        return mean + torch.exp(0.5 * logvar) * noise
    with torch.no_grad():
        return first_stage.encode(batch["image"]).float()


def _stack_weights(weights: Sequence[Any]) -> Tensor:
    tensors = [torch.as_tensor(weight, dtype=torch.float32) for weight in weights]
    shape = max((tensor.shape for tensor in tensors), key=len)
    stacked = torch.stack([tensor.expand(shape) for tensor in tensors])
    return stacked.unsqueeze(1) if len(shape) else stacked
