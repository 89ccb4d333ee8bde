"""Balls around features that reach to their nearest neighbours: the manifold of a set of pictures.

Features are compared on a grid, where distances of usual features are exact: a picture is at
distance 0 from its copy.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.metrics.feature_grid import to_grid

_BLOCK = 2**23
"""Distances that are in memory at a time."""


def count_in_balls(points: Tensor, centers: Tensor, neighbors: int) -> tuple[Tensor, Tensor]:
    """Return how many balls hold each point, and how many points each ball holds.

    The ball of a center reaches to the `neighbors`-th nearest of the other centers, and holds what
    is at that distance.

    Args:
        points: features (P, D).
        centers: features (N, D).
        neighbors: from 1 to N - 1.

    Returns:
        int64 (P,) and int64 (N,).

    Raises:
        InvalidInputError: the features have different widths, or there are too few centers.
    """
    if points.ndim != 2 or points.shape[1:] != centers.shape[1:]:
        raise InvalidInputError(
            "expected features (N, D) of one width, "
            f"got {tuple(points.shape)} and {tuple(centers.shape)}"
        )
    if not 1 <= neighbors < len(centers):
        raise InvalidInputError(
            f"expected more than {neighbors} pictures for {neighbors} neighbours, "
            f"got {len(centers)}"
        )
    points, centers = to_grid(points), to_grid(centers)
    nearest = [d.kthvalue(neighbors + 1).values for d in _square_distances(centers, centers)]
    radii = torch.cat(nearest)  # the nearest is the center itself
    balls, held = [], torch.zeros(len(centers), dtype=torch.int64)
    for distances in _square_distances(points, centers):
        is_held = distances <= radii
        balls.append(is_held.sum(1))
        held += is_held.sum(0)
    return torch.cat(balls), held


def _square_distances(points: Tensor, centers: Tensor) -> Iterator[Tensor]:
    """Yield squared distances (b, N), of b points at a time, in units of the grid."""
    lengths = centers.square().sum(1)
    for part in torch.split(points, max(1, _BLOCK // len(centers))):
        square = part.square().sum(1, keepdim=True) + lengths
        yield (square - 2 * part @ centers.T).clamp(min=0)
