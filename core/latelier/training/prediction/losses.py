"""Losses of a denoiser's predictions, sample by sample."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from latelier.training.prediction.levels import bin_levels, name_bins


@dataclass(frozen=True)
class SampleLosses:
    """The losses of a batch.

    Attributes:
        minimized: what training minimises, float32 (B,).
        weighted: the squared error times its weight, float32 (B,). It is what is minimised, unless
            that has a learned variance.
        levels: the noise level of each sample in 0..1, (B,).
    """

    minimized: Tensor
    weighted: Tensor
    levels: Tensor

    def summarize(self) -> dict[str, Tensor]:
        """Return "loss", and the mean error of each bin of noise levels; NaN if it is empty."""
        terms = {"loss": self.minimized.mean()}
        if self.weighted is not self.minimized:
            terms["weighted_error"] = self.weighted.mean()
        bins = bin_levels(self.levels).to(self.weighted.device)
        for k, name in enumerate(name_bins()):
            inside = bins == k
            terms[f"loss_{name}"] = self.weighted.detach().where(inside, 0).sum() / inside.sum()
        return terms


def denoising_loss(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the mean squared error of each sample, (B,) (Rombach et al. 2022, eq. 2).

    Args:
        prediction: the denoiser's output (B, C, h, w).
        target: of the same shape.
        weight: of samples (B,) or of the pictures' pixels (B, 1, H, W), which are averaged over
            each latent; None: 1. The weights are not scaled to a mean of 1.
    """
    error = (prediction.float() - target).square()
    if weight is not None and weight.ndim > 1:
        height, width = error.shape[2:]
        error = error * adaptive_avg_pool2d(weight, (height, width))
    loss = error.flatten(1).mean(1)
    return loss if weight is None or weight.ndim > 1 else loss * weight
