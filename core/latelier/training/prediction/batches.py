"""Batches of a denoiser's training: pictures, or latents of a cache, with weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.components import FirstStage, PictureGeometry
from latelier.training.randomness import Draws, Purpose

_FORMS = ("latents", "moments", "image")
"""The forms in which a sample holds its picture; the first that it has is used."""


def collate_samples(
    samples: Sequence[Mapping[str, Any]], unmasked_weight: float | None = None
) -> dict[str, Any]:
    """Return a batch of samples whose pictures have one form and size.

    "index" is the list of positions. The pictures are one of

    latents  (B, C, h, w), scaled for the denoiser
    moments  (B, 2 C, h, w): mean and log-variance of the scaled latents
    image    (B, 3, H, W) in [-1, 1]

    "weight" is there if a sample has one, (B,), or with an `unmasked_weight` (B, 1, H, W).

    Args:
        samples: of the data.
        unmasked_weight: the weight of pixels outside of the samples' masks; None: as inside.
    """
    form = picture_form(samples[0])
    batch: dict[str, Any] = {
        form: torch.stack([torch.as_tensor(sample[form]) for sample in samples]),
        "index": [sample["index"] for sample in samples],
    }
    weights = torch.tensor([sample.get("weight", 1.0) for sample in samples], dtype=torch.float32)
    if unmasked_weight is not None:
        batch["weight"] = weights.view(-1, 1, 1, 1) * weigh_pixels(samples, unmasked_weight)
    elif any("weight" in sample for sample in samples):
        batch["weight"] = weights
    return batch


def weigh_pixels(samples: Sequence[Mapping[str, Any]], unmasked_weight: float) -> Tensor:
    """Return the weight of each pixel, float32 (B, 1, H, W): 1 where the sample's mask is white."""
    masks = torch.stack([torch.as_tensor(sample["mask"]) for sample in samples])
    return unmasked_weight + (1 - unmasked_weight) * (masks / 255).unsqueeze(1)


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
