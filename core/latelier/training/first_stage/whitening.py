"""Whitening of latents, folded into the 1x1 convolutions around them."""

import torch
from torch import Tensor

from latelier.first_stages.autoencoder_kl import AutoencoderKL

_MIN_SHARE = 0.01
"""Smallest eigenvalue, as a share of the mean eigenvalue: weaker directions are not amplified to
variance 1, which would make noise of them."""


def whiten(
    autoencoder: AutoencoderKL, mean: Tensor, covariance: Tensor, posterior_variance: Tensor
) -> AutoencoderKL:
    """Return an autoencoder whose latents are A (z - mean), with the same reconstructions.

    A = diag(1 / sqrt(eigenvalues)) U^T turns the covariance U diag(eigenvalues) U^T into the
    identity, except for eigenvalues below a hundredth of their mean. The principal direction comes
    first. A posterior is independent noise of each channel before, and of a mixture of channels
    after: its log-variance becomes that of the mean posterior in each new channel, for all images.

    Args:
        autoencoder: with any scale and shift; those of the result are 1 and 0.
        mean: Mean of its latents, not normalized, float64 (C,).
        covariance: Their covariance, float64 (C, C).
        posterior_variance: Mean variance of the posterior, not normalized, float64 (C,).
    """
    forward, backward = whitening_matrices(covariance)
    config = autoencoder.config.model_copy(update={"scale_factor": 1.0, "shift_factor": 0.0})
    result = AutoencoderKL(config)
    state = {name: tensor.clone() for name, tensor in autoencoder.state_dict().items()}
    mean, posterior_variance = mean.double().cpu(), posterior_variance.double().cpu()

    # z -> A (z - mean), behind the encoder
    weight, bias = (state[f"quant_conv.{name}"].double().cpu() for name in ("weight", "bias"))
    channels = len(mean)
    weight[:channels] = torch.einsum("ij,jkxy->ikxy", forward, weight[:channels])
    bias[:channels] = forward @ (bias[:channels] - mean)
    weight[channels:] = 0
    bias[channels:] = torch.log(forward.square() @ posterior_variance)
    state["quant_conv.weight"], state["quant_conv.bias"] = weight.float(), bias.float()

    # A^-1 z + mean, before the decoder
    weight, bias = (state[f"post_quant_conv.{name}"].double().cpu() for name in ("weight", "bias"))
    bias = bias + weight[:, :, 0, 0] @ mean
    weight = torch.einsum("ijxy,jk->ikxy", weight, backward)
    state["post_quant_conv.weight"], state["post_quant_conv.bias"] = weight.float(), bias.float()

    result.load_state_dict(state)
    return result.to(next(autoencoder.parameters()).device).eval()


def whitening_matrices(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Return A and its inverse, float64 (C, C) each; see `whiten`."""
    eigenvalues, vectors = torch.linalg.eigh(covariance.double().cpu())
    eigenvalues, vectors = eigenvalues.flip(0), vectors.flip(1)
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    vectors = vectors * largest.sign()  # eigenvectors have no sign: the largest number is positive
    root = eigenvalues.clamp(min=_MIN_SHARE * float(eigenvalues.mean())).sqrt()
    return vectors.T / root[:, None], vectors * root
