"""Density and coverage (Naeem et al. 2020, arXiv:2002.09797)."""

from torch import Tensor

from latelier.metrics.manifold.neighbors import count_in_balls


def density_coverage(
    pictures: Tensor, reference: Tensor, neighbors: int = 5
) -> tuple[Tensor, Tensor]:
    """Return the density at each picture, and which of the reference have pictures near.

    Density is the number of balls of the reference that hold a picture, in units of `neighbors`;
    unlike precision, it counts outliers of the reference little. A reference picture is covered if
    its ball holds a picture. Figures are the means of both; that of density can exceed 1.

    Args:
        pictures: features (N, D).
        reference: features (M, D).
        neighbors: to the farthest of which balls reach, at least 1.

    Returns:
        float64 (N,) and bool (M,).

    Raises:
        InvalidInputError: the features have different widths, or there are too few.
    """
    balls, held = count_in_balls(pictures, reference, neighbors)
    return balls.double() / neighbors, held > 0
