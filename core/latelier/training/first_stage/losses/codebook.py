"""The first codes of a codebook, drawn from latents."""

from collections.abc import Iterable

import torch
from torch import Tensor

from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.scaling import denormalize

_JITTER = 0.01
"""Noise on codes that are drawn twice, in units of the standard deviation of the latents."""


@torch.no_grad()
def set_codes(autoencoder: AutoencoderVQ, batches: Iterable[Tensor], seed: int) -> None:
    """Set the codes to random latent vectors of images, the same in all processes.

    Each batch is (B, 3, H, W), on any device; batches may differ in size.

    Codes far from all latents are never chosen, so they never learn. Of a codebook with its initial
    values, which are near 0, a short training uses a few dozen codes only.
    """
    was_training = autoencoder.training
    autoencoder.eval()  # drop-out would draw different numbers in each process
    # latents of images of several sizes differ in height and width
    device = autoencoder.quantize.embedding.weight.device
    latents = (autoencoder.encode(images.to(device)).float() for images in batches)
    vectors = (denormalize(each, autoencoder.config) for each in latents)
    rows = [each.movedim(1, -1).flatten(0, 2) for each in vectors]
    autoencoder.train(was_training)
    codes = draw_rows(torch.cat(rows).cpu(), autoencoder.config.n_embed, seed)
    codes = codes.to(autoencoder.quantize.embedding.weight)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.broadcast(codes, 0)
    autoencoder.quantize.embedding.weight.copy_(codes)


def draw_rows(rows: Tensor, count: int, seed: int) -> Tensor:
    """Return `count` random rows of (N, C); if there are fewer, some twice with a little noise."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(rows), generator=generator)
    repeats = -(-count // len(rows))
    drawn = rows[order.repeat(repeats)[:count]]
    noise = torch.randn(drawn.shape, generator=generator) * (_JITTER * rows.std(0))
    noise[: len(rows)] = 0
    return drawn + noise
