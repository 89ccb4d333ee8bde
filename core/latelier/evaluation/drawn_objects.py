"""Where pictures of one object on a plain background show it."""

import torch
from torch import Tensor

_MIN_DIFFERENCE = 0.3
"""Difference of a channel from the background, of 2 in all, from which on a pixel is the object."""


def find_objects(images: Tensor) -> Tensor:
    """Return the pixels that differ in colour from the border of their picture, bool (B, H, W).

    Args:
        images: (B, 3, H, W) in [-1, 1].
    """
    border = torch.cat(
        [images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]], dim=-1
    )
    background = border.median(dim=-1).values[..., None, None]
    return (images - background).abs().amax(1) > _MIN_DIFFERENCE


def bounding_boxes(masks: Tensor) -> Tensor:
    """Return x0, y0, x1, y1 in 0..1 of the pixels of each mask (B, H, W), float32 (B, 4).

    Rows and columns with less than a tenth of the pixels of the fullest one are left out, since
    generated pictures have specks. An empty mask has the box 0, 0, 0, 0.
    """
    boxes = []
    for mask in masks:
        columns, rows = (_ends(mask.sum(dim).float()) for dim in (0, 1))
        boxes.append(torch.stack([columns[0], rows[0], columns[1], rows[1]]))
    return torch.stack(boxes)


def _ends(counts: Tensor) -> Tensor:
    """Return the first and the end of the positions whose counts matter, as shares."""
    filled = (counts > 0.1 * counts.max()).nonzero().flatten()
    if len(filled) == 0:
        return torch.zeros(2)
    return torch.stack([filled[0], filled[-1] + 1]) / len(counts)


def box_iou(boxes: Tensor, references: Tensor) -> Tensor:
    """Return intersection over union of boxes x0, y0, x1, y1, both (B, 4), in 0..1: (B,)."""
    low = torch.maximum(boxes[:, :2], references[:, :2])
    high = torch.minimum(boxes[:, 2:], references[:, 2:])
    intersection = (high - low).clamp(min=0).prod(1)
    areas = [(each[:, 2:] - each[:, :2]).prod(1) for each in (boxes, references)]
    return intersection / (areas[0] + areas[1] - intersection).clamp(min=1e-9)


def balanced_agreement(masks: Tensor, references: Tensor) -> Tensor:
    """Return how far masks (B, H, W) agree with references, (B,) in 0..1.

    It is the mean of the shares of agreeing pixels inside and outside of the reference: 0.5 for a
    mask that is empty, full or unrelated.
    """
    agreeing = masks == references
    inside = (agreeing & references).sum((1, 2)) / references.sum((1, 2)).clamp(min=1)
    outside = (agreeing & ~references).sum((1, 2)) / (~references).sum((1, 2)).clamp(min=1)
    return (inside + outside) / 2
