"""Finds a drawing in a picture, and measures how exactly the picture shows it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from latelier.data.emoji_scenes.artwork import Placement
from latelier.data.emoji_scenes.layout import Box
from latelier.evaluation.artwork.template import ArtworkTemplate

_COARSE_SIDE = 32
_SCALE_STEP = 1.09
_ANGLE_STEP = 6.0
_SLACK = 1.5
"""Pixels of the coarse picture by which a drawing may leave the picture."""

_STAGES = ((2, 8, 3), (1, 1, 5))
"""Shrink factor of the picture, candidates that are refined, and steps, of each refinement."""

_NUDGES = (0.004, 0.004, 0.01, 0.01)
"""Differences for the derivatives by x, y, log of the scale and angle."""

_CAP_DB = 60.0


@dataclass(frozen=True)
class FitRange:
    """Where a drawing is searched.

    Attributes:
        scale: range of its longest side, 1 for the side of the picture.
        angle: range of its turn in degrees.
        outside: boxes that its centre is not in, as fractions of the picture.
    """

    scale: tuple[float, float] = (0.5, 1.0)
    angle: tuple[float, float] = (-15.0, 15.0)
    outside: tuple[Box, ...] = ()


@dataclass(frozen=True)
class ArtworkFit:
    """The best place of a drawing in a picture.

    Attributes:
        placement: where it is, how large and how turned.
        psnr: dB inside the drawing's silhouette, at most 60. Each pixel counts by the fourth power
            of the drawing's alpha, since the background shows through the others.
    """

    placement: Placement
    psnr: float


@torch.no_grad()
def fit_artwork(
    image: Tensor, artwork: ArtworkTemplate, within: FitRange | None = None
) -> ArtworkFit:
    """Search the placement of a drawing that best explains a picture.

    Every size and turn of a grid is compared at every position of a small copy of the picture, by
    Fourier transforms. The best are refined by Levenberg-Marquardt steps on larger copies.

    Args:
        image: (3, S, S) in [-1, 1], a square picture.
        artwork: the drawing.
        within: the range of sizes and turns.
    """
    within = within or FitRange()
    picture = ((image.float() + 1) / 2).clamp(0, 1)
    candidates = _search(picture, artwork, within)
    size = picture.shape[-1]
    errors = torch.empty(0)
    for shrink, count, steps in _STAGES:
        copy = _shrink(picture, max(_COARSE_SIDE, size // shrink))
        candidates, errors = _refine(copy, artwork, candidates[:count], steps, within)
    x, y, log_scale, angle = candidates[0].tolist()
    placement = Placement(x, y, math.exp(log_scale), math.degrees(angle))
    decibels = -10 * math.log10(max(float(errors[0]), 1e-9))
    return ArtworkFit(placement, min(decibels, _CAP_DB))


def _search(picture: Tensor, artwork: ArtworkTemplate, within: FitRange) -> Tensor:
    """Return the best placement of each size and turn, (T, 4), the best of all first."""
    side = min(_COARSE_SIDE, picture.shape[-1])
    small = _shrink(picture, side)
    centers = 0.5 + _signed(torch.arange(side), side) / side
    is_free = _is_outside(centers, centers[:, None], within.outside)
    found = []
    for scale in _spread(within.scale, _SCALE_STEP):
        angles = _linear(within.angle)
        templates = torch.tensor([[0.5, 0.5, math.log(scale), math.radians(a)] for a in angles])
        errors = _errors_by_shift(small, artwork.draw(templates, side))
        allowed = torch.stack([_allowed_shifts(artwork, scale, a, side) for a in angles])
        errors = errors.masked_fill(~(allowed & is_free), math.inf).flatten(1)
        least, at = errors.min(1)
        rows, columns = (_signed(part, side) / side for part in (at // side, at % side))
        templates[:, 0] += columns
        templates[:, 1] += rows
        found.append((least, templates))
    order = torch.cat([least for least, _ in found]).argsort()
    return torch.cat([templates for _, templates in found])[order]


def _errors_by_shift(picture: Tensor, drawn: Tensor) -> Tensor:
    """Return the weighted squared error of each drawing at each cyclic shift, (T, h, w).

    With weight alpha^4 it is |alpha^2 picture - alpha drawing|^2, whose three terms are
    correlations.
    """
    colors, alpha = drawn[:, :3], drawn[:, 3:]
    weight = alpha**4
    kernels = torch.cat([weight, -2 * alpha**3 * colors], 1)
    signals = torch.cat([picture.square().sum(0, keepdim=True), picture])
    spectrum = torch.fft.rfft2(signals) * torch.fft.rfft2(kernels).conj()
    correlations = torch.fft.irfft2(spectrum.sum(1), s=picture.shape[1:])
    constant = (alpha**2 * colors**2).sum((1, 2, 3))
    total = correlations + constant[:, None, None]
    return total / (3 * weight.sum((1, 2, 3)).clamp(min=1e-6)[:, None, None])


def _allowed_shifts(artwork: ArtworkTemplate, scale: float, angle: float, side: int) -> Tensor:
    """Return at which cyclic shifts the drawing stays in the picture, bool (h, w)."""
    shifts = _signed(torch.arange(side), side).abs()
    half_width, half_height = (half * scale * side for half in artwork.half_extent(angle))
    columns = shifts <= max(side / 2 - half_width, 0) + _SLACK
    rows = shifts <= max(side / 2 - half_height, 0) + _SLACK
    return rows[:, None] & columns


def _is_outside(x: Tensor, y: Tensor, boxes: tuple[Box, ...]) -> Tensor:
    """Return which points, as fractions of the picture, are in none of the boxes."""
    inside = torch.zeros_like(x + y, dtype=torch.bool)
    for x0, y0, x1, y1 in boxes:
        inside |= (x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)
    return ~inside


def _refine(
    picture: Tensor, artwork: ArtworkTemplate, candidates: Tensor, steps: int, within: FitRange
) -> tuple[Tensor, Tensor]:
    """Improve candidates (K, 4) by damped Gauss-Newton steps; return them and their errors (K,)."""
    damping = torch.full((len(candidates),), 1e-2)
    residuals = _residuals(picture, artwork, candidates)
    for _ in range(steps):
        jacobian = _jacobian(picture, artwork, candidates, residuals)
        gradient = (jacobian @ residuals[..., None])[..., 0]
        curvature = jacobian @ jacobian.mT  # (K, 4, 4)
        diagonal = curvature.diagonal(dim1=1, dim2=2)
        damped = curvature + torch.diag_embed(damping[:, None] * diagonal + 1e-9)
        moved = _clamp(candidates - torch.linalg.solve(damped, gradient), within)
        tried = _residuals(picture, artwork, moved)
        better = tried.square().sum(1) < residuals.square().sum(1)
        better &= _is_outside(moved[:, 0], moved[:, 1], within.outside)
        candidates = torch.where(better[:, None], moved, candidates)
        residuals = torch.where(better[:, None], tried, residuals)
        damping = torch.where(better, damping / 5, damping * 10)
    errors = residuals.square().sum(1)
    order = errors.argsort()
    return candidates[order], errors[order]


def _residuals(picture: Tensor, artwork: ArtworkTemplate, placements: Tensor) -> Tensor:
    """Return the weighted differences (K, N), whose squares sum to the mean squared error."""
    drawn = artwork.draw(placements, picture.shape[-1])
    colors, alpha = drawn[:, :3], drawn[:, 3:]
    total = (3 * (alpha**4).sum((1, 2, 3))).clamp(min=1e-6).sqrt()
    return (alpha * (alpha * picture - colors)).flatten(1) / total[:, None]


def _jacobian(
    picture: Tensor, artwork: ArtworkTemplate, placements: Tensor, residuals: Tensor
) -> Tensor:
    """Return the derivatives of the residuals by the placement, (K, 4, N)."""
    nudges = torch.diag(torch.tensor(_NUDGES))
    nudged = placements[:, None] + nudges  # (K, 4, 4)
    shifted = _residuals(picture, artwork, nudged.flatten(0, 1))
    shifted = shifted.reshape(len(placements), len(_NUDGES), -1)
    return (shifted - residuals[:, None]) / nudges.diagonal()[:, None]


def _clamp(placements: Tensor, within: FitRange) -> Tensor:
    """Return placements inside the range, their centres inside the picture."""
    low, high = (math.log(scale) for scale in within.scale)
    x, y, log_scale, angle = placements.unbind(1)
    least, most = (math.radians(a) for a in within.angle)
    centers = x.clamp(0, 1), y.clamp(0, 1)
    return torch.stack([*centers, log_scale.clamp(low, high), angle.clamp(least, most)], 1)


def _shrink(picture: Tensor, side: int) -> Tensor:
    if picture.shape[-1] == side:
        return picture
    return interpolate(picture[None], (side, side), mode="area")[0]


def _signed(shifts: Tensor, side: int) -> Tensor:
    """Return cyclic shifts as numbers around 0."""
    return (shifts + side // 2) % side - side // 2


def _spread(bounds: tuple[float, float], ratio: float) -> list[float]:
    """Return a geometric series from the one bound to the other, of steps of at most `ratio`."""
    steps = max(1, math.ceil(math.log(bounds[1] / bounds[0]) / math.log(ratio)))
    return [bounds[0] * (bounds[1] / bounds[0]) ** (k / steps) for k in range(steps + 1)]


def _linear(bounds: tuple[float, float]) -> list[float]:
    steps = max(1, math.ceil((bounds[1] - bounds[0]) / _ANGLE_STEP))
    return [bounds[0] + (bounds[1] - bounds[0]) * k / steps for k in range(steps + 1)]
