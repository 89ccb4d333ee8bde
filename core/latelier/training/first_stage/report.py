"""What a trained first stage is like: its quality, its latents and its codes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.configs import AutoencoderConfig
from latelier.first_stages.scaling import denormalize
from latelier.io.atomic import write_json
from latelier.training.first_stage.losses.regularization import perplexity
from latelier.training.first_stage.quality import measure_quality
from latelier.training.first_stage.statistics import ChannelMoments, ChannelStatistics

Autoencoder = AutoencoderKL | AutoencoderVQ


@dataclass(frozen=True, eq=False)
class Measurement:
    """What `measure` finds in N images.

    Attributes:
        images: N.
        held_out_images: Number of those that are held out, and so decoded.
        quality: Mean of each measure of the reconstructions of held-out images.
        latents: Statistics of the latents, which are not normalized.
        pictures: Statistics of the images, shrunk to the size of the latents.
        posterior_variance: Mean variance of the posterior, float64 (C,); None without a posterior.
        code_counts: How often each code occurs, (codes,); None without a codebook.
    """

    images: int
    held_out_images: int
    quality: dict[str, float]
    latents: ChannelStatistics
    pictures: ChannelStatistics
    posterior_variance: Tensor | None
    code_counts: Tensor | None


def measure(
    autoencoder: Autoencoder,
    held_out: Iterable[Tensor],
    perceptual: nn.Module | None,
    further: Iterable[Tensor] = (),
) -> Measurement:
    """Measure an autoencoder on batches of images (B, 3, H, W) in [-1, 1].

    Args:
        autoencoder: in evaluation mode.
        held_out: images whose reconstructions and latents are measured.
        perceptual: the network of the perceptual loss, if there is one.
        further: images of which only the latents are measured.
    """
    meter = _Meter(autoencoder)
    quality: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for images in held_out:
            reconstructions = autoencoder.decode(meter.add(images))
            for name, values in measure_quality(reconstructions, images, perceptual).items():
                quality.setdefault(name, []).append(values)
        held_out_images = meter.images
        for images in further:
            meter.add(images)
        return meter.finish(held_out_images, quality)


class _Meter:
    """Collects statistics of the latents of an autoencoder.

    Attributes:
        images: Number of images so far.
    """

    def __init__(self, autoencoder: Autoencoder) -> None:
        config = autoencoder.config
        self._autoencoder = autoencoder
        self._latents = ChannelMoments(config.latent_channels)
        self._pictures = ChannelMoments(config.in_channels)
        self._variances = list[Tensor]()
        self._counts = list[Tensor]()
        self.images = 0

    def add(self, images: Tensor) -> Tensor:
        """Add images (B, 3, H, W), and return their latents."""
        autoencoder = self._autoencoder
        z = autoencoder.encode(images).float()
        self._latents.add(denormalize(z, autoencoder.config))
        self._pictures.add(avg_pool2d(images, autoencoder.config.downsampling))
        if isinstance(autoencoder, AutoencoderKL):
            _, logvar = autoencoder.posterior(images)
            self._variances.append(logvar.double().exp().mean((2, 3)).cpu())
        else:
            indices = autoencoder.quantize_latents(z).indices.flatten().cpu()
            self._counts.append(torch.bincount(indices, minlength=autoencoder.config.n_embed))
        self.images += len(images)
        return z

    def finish(self, held_out_images: int, quality: Mapping[str, list[Tensor]]) -> Measurement:
        """Return what was found; `quality` has the measures (B,) of each batch."""
        return Measurement(
            self.images,
            held_out_images,
            {name: float(torch.cat(values).mean()) for name, values in quality.items()},
            self._latents.finish(),
            self._pictures.finish(),
            torch.cat(self._variances).mean(0) if self._variances else None,
            torch.stack(self._counts).sum(0) if self._counts else None,
        )


def make_report(measurement: Measurement, config: AutoencoderConfig) -> dict[str, Any]:
    """Return the report as JSON values.

    Means, deviations and eigenvalues are those of the latents as `config` normalizes them, which is
    that of the exported autoencoder before any whitening.
    """
    latents = measurement.latents.normalize(config.scale_factor, config.shift_factor)
    report: dict[str, Any] = {
        "images": measurement.images,
        "held_out_images": measurement.held_out_images,
        "quality": {n: v if isfinite(v) else None for n, v in measurement.quality.items()},
        "scale_factor": config.scale_factor,
        "latents": {
            "mean": latents.mean.tolist(),
            "std": latents.std.tolist(),
            "covariance_eigenvalues": latents.eigenvalues.tolist(),
            "variance_above_half_nyquist": latents.high_share,
            "picture_variance_above_half_nyquist": measurement.pictures.high_share,
        },
    }
    if measurement.posterior_variance is not None:
        scale = torch.tensor(config.scale_factor, dtype=torch.float64)
        std = measurement.posterior_variance.sqrt() * scale
        report["latents"]["posterior_std"] = std.tolist()
    if measurement.code_counts is not None:
        counts = measurement.code_counts
        report["codebook"] = {
            "codes": len(counts),
            "used": float((counts > 0).double().mean()),
            "perplexity": float(perplexity(counts.double())),
        }
    return report


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report as JSON and show it as a table."""
    write_json(path, report)
    Console(stderr=True).print(make_table(report))


def make_table(report: Mapping[str, Any]) -> Table:
    """Return a report as a table of two columns."""
    table = Table("measure", "value", title="First stage")
    for name, value in _flatten(report):
        table.add_row(name, _format(value))
    return table


def _flatten(report: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names and values of nested mappings; names are joined by spaces."""
    for name, value in report.items():
        label = f"{prefix} {name.replace('_', ' ')}".strip()
        if isinstance(value, Mapping):
            yield from _flatten(value, label)
        else:
            yield label, value


def _format(value: Any) -> str:
    if isinstance(value, list):
        return "  ".join(f"{each:.3g}" for each in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
