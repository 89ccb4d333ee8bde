"""Improved precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991)."""

from torch import Tensor

from latelier.metrics.manifold.neighbors import count_in_balls


def precision_recall(
    pictures: Tensor, reference: Tensor, neighbors: int = 3
) -> tuple[Tensor, Tensor]:
    """Return which pictures are like the reference, and which of the reference are like pictures.

    A picture is like those of a set if a ball of the set holds it. Precision and recall are the
    shares of pictures that are. Compare sets of one size.

    Args:
        pictures: features (N, D).
        reference: features (M, D).
        neighbors: to the farthest of which balls reach, at least 1.

    Returns:
        bool (N,) and bool (M,).

    Raises:
        InvalidInputError: the features have different widths, or there are too few.
    """
    of_reference, _ = count_in_balls(pictures, reference, neighbors)
    of_pictures, _ = count_in_balls(reference, pictures, neighbors)
    return of_reference > 0, of_pictures > 0
