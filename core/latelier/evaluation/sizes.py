"""Sizes of pictures in messages and tables."""

from torch import Tensor


def format_size(size: tuple[int, int]) -> str:
    """Return a (width, height) as people write it: "64 x 48"."""
    return f"{size[0]} x {size[1]}"


def contrast_sizes(images: Tensor, originals: Tensor) -> str:
    """Return what differs in the sizes of pictures and of originals, (B, 3, H, W) each."""
    ours, theirs = (format_size((each.shape[3], each.shape[2])) for each in (images, originals))
    return f"the pictures have {ours} pixels and their originals {theirs}"
