"""What a denoiser's training says of itself at its start."""

from latelier.contracts.components import PictureGeometry
from latelier.diffusion.processes.process import Process
from latelier.training.configs.loss import LossConfig
from latelier.training.configs.noise import NoiseConfig
from latelier.training.prediction.densities import level_shares
from latelier.training.prediction.levels import name_bins


def describe_loss(process: Process, loss: LossConfig) -> str:
    """Return what is predicted and how its error is weighted."""
    weight = loss.weight
    options = ", ".join(f"{k} {v}" for k, v in weight if k != "kind" and v is not None)
    text = f"process '{process.kind}', predicts '{process.prediction}', weight '{weight.kind}'"
    if options:
        text += f" ({options})"
    if loss.unmasked_weight is not None:
        text += f", {loss.unmasked_weight:g} outside of masks"
    return text


def describe_noise(noise: NoiseConfig, process: Process, geometry: PictureGeometry) -> str:
    """Return the share of the samples in each bin of noise levels."""
    height, width = geometry.latent_size
    shares = level_shares(noise, process, height * width)
    binned = ", ".join(
        f"{name}: {share:.1%}" for name, share in zip(name_bins(), shares, strict=True)
    )
    return f"noise '{noise.kind}', share of samples by noise level: {binned}"
