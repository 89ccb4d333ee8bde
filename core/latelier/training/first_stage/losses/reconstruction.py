"""The reconstruction loss. Images are (B, 3, H, W) in [-1, 1]; a term is a scalar."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from latelier.training.configs.components import TermName

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
            if min(difference.shape[2:]) < 4:
                break  # a single pixel has no gradient
            difference = avg_pool2d(difference, 2)
        total = total + difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
    return total


TERMS: Mapping[TermName, Term] = {
    "absolute": absolute_error,
    "squared": squared_error,
    "edges": edge_error,
}
"""The terms of the reconstruction loss by their names in a configuration."""


class ReconstructionLoss(nn.Module):
    """A weighted sum of terms.

    Attributes:
        weights: Weight of each of `TERMS` that counts.
        perceptual: (reconstructions, images) -> distances (B,); None: no perceptual term.
        perceptual_weight: Weight of the perceptual term.
    """

    def __init__(
        self,
        weights: Mapping[TermName, float],
        perceptual: nn.Module | None = None,
        perceptual_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.weights = weights
        self.perceptual = perceptual
        self.perceptual_weight = perceptual_weight

    def forward(self, reconstructions: Tensor, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum, and the unweighted terms by name."""
        loss, terms = self.compare_pixels(reconstructions, images)
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual(reconstructions, images).mean()
            loss = loss + self.perceptual_weight * terms["perceptual"]
        return loss, terms

    def compare_pixels(
        self, reconstructions: Tensor, images: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum and the terms without the perceptual one."""
        loss = images.new_zeros(())
        terms: dict[str, Tensor] = {}
        for name, weight in self.weights.items():
            terms[name] = TERMS[name](reconstructions, images)
            loss = loss + weight * terms[name]
        return loss, terms
