"""The scale and shift between the latents of an encoder and those that a denoiser sees."""

from collections.abc import Sequence

import torch
from torch import Tensor

from latelier.first_stages.configs import AutoencoderConfig


def normalize(z: Tensor, config: AutoencoderConfig) -> Tensor:
    """Return the latents (z - shift_factor) * scale_factor of z (B, C, h, w).

    Each factor of `config` is a number, or one for each channel.
    """
    return ((z - _factor(config.shift_factor, z)) * _factor(config.scale_factor, z)).to(z.dtype)


def denormalize(latents: Tensor, config: AutoencoderConfig) -> Tensor:
    """Return the z (B, C, h, w) of which `normalize` makes these latents."""
    scale, shift = (_factor(each, latents) for each in (config.scale_factor, config.shift_factor))
    return (latents / scale + shift).to(latents.dtype)


def normalize_log_variance(logvar: Tensor, config: AutoencoderConfig) -> Tensor:
    """Return the log-variance of latents of which z has the log-variance (B, C, h, w)."""
    scale = torch.tensor(config.scale_factor, dtype=torch.float64)
    return logvar + _factor((2 * scale.log()).tolist(), logvar)


def _factor(values: float | Sequence[float], like: Tensor) -> float | Tensor:
    """Return a number as it is, and those of channels as a tensor (C, 1, 1) in float32."""
    if isinstance(values, float):
        return values
    return torch.tensor(values, dtype=torch.float32, device=like.device).view(-1, 1, 1)
