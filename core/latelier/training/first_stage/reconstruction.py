"""Loss functions. Images are (B, 3, H, W) in [-1, 1]; a loss is a scalar or (B,)."""

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn.functional import avg_pool2d

Term = Callable[[Tensor, Tensor], Tensor]
"""A term of the reconstruction loss: (reconstructions, images) -> scalar."""


def absolute_error(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Return the mean absolute error."""
    return (reconstructions - images).abs().mean()


def squared_error(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Return the mean squared error."""
    return (reconstructions - images).square().mean()


def edge_error(reconstructions: Tensor, images: Tensor, scales: int = 3) -> Tensor:
    """Return the mean absolute error of the image gradients, summed over halved sizes.

    It punishes blur more than `absolute_error` does, without the pretrained network that a
    perceptual loss needs.
    """
    difference = reconstructions - images  # the gradient is linear: that of the difference will do
    total = difference.new_zeros(())
    for scale in range(scales):
        if scale:
            difference = avg_pool2d(difference, 2)
        total = total + difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
    return total


TERMS: Mapping[str, Term] = {
    "absolute": absolute_error,
    "squared": squared_error,
    "edges": edge_error,
}
"""The terms of the reconstruction loss by their names in a configuration."""
