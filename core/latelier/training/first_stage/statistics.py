"""Statistics of latents over many images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ChannelStatistics:
    """Mean and covariance of the channels over all images and positions.

    Attributes:
        mean: float64 (C,).
        covariance: float64 (C, C).
        high_share: Share of the variance above half the Nyquist frequency, 0 to 1.
    """

    mean: Tensor
    covariance: Tensor
    high_share: float

    @property
    def std(self) -> Tensor:
        """Standard deviation of each channel, float64 (C,)."""
        return self.covariance.diagonal().clamp(min=0).sqrt()

    @property
    def overall_std(self) -> float:
        """Standard deviation of all numbers of all channels about their common mean."""
        variance = self.covariance.diagonal().mean() + self.mean.var(correction=0)
        return float(variance.sqrt())

    @property
    def eigenvalues(self) -> Tensor:
        """Eigenvalues of the covariance, float64 (C,), the largest first."""
        return torch.linalg.eigvalsh(self.covariance).flip(0).clamp(min=0)

    def normalize(
        self, scale: float | Sequence[float], shift: float | Sequence[float]
    ) -> "ChannelStatistics":
        """Return the statistics of (z - shift) * scale, of which each may be one for a channel."""
        factors = torch.as_tensor(scale, dtype=torch.float64).expand(len(self.mean))
        mean = (self.mean - torch.as_tensor(shift, dtype=torch.float64)) * factors
        covariance = self.covariance * torch.outer(factors, factors)
        return ChannelStatistics(mean, covariance, self.high_share)


class ChannelMoments:
    """Sums over batches, in float64, from which `finish` computes the statistics."""

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._sum = torch.zeros(channels, dtype=torch.float64)
        self._products = torch.zeros(channels, channels, dtype=torch.float64)
        self._high = 0.0

    def add(self, pixels: Tensor) -> None:
        """Add a batch (B, C, h, w)."""
        rows = pixels.double().cpu().movedim(1, 0).flatten(1)  # (C, B * h * w)
        self._count += rows.shape[1]
        self._sum += rows.sum(1)
        self._products += rows @ rows.T
        self._high += _high_power(pixels)

    def finish(self) -> ChannelStatistics:
        """Return the statistics of all batches."""
        mean = self._sum / self._count
        covariance = self._products / self._count - torch.outer(mean, mean)
        variance = float(covariance.trace()) * self._count
        return ChannelStatistics(mean, covariance, self._high / max(variance, 1e-30))


def _high_power(pixels: Tensor) -> float:
    """Return the sum of squares of (B, C, h, w) that lies above half the Nyquist frequency."""
    height, width = pixels.shape[2:]
    power = torch.fft.fft2(pixels.float()).abs().square().double().sum((0, 1)).cpu()
    rows, columns = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)
    is_high = torch.hypot(rows, columns) > 0.25  # cycles a pixel; Nyquist is 0.5
    return float(power[is_high].sum()) / (height * width)  # Parseval's theorem
