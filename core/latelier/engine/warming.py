"""Measuring how many rows of a call a device is fastest with."""

import time
from collections.abc import Callable, Iterable
from functools import partial
from math import prod

import torch

from latelier.contracts.components import Denoiser, PictureGeometry
from latelier.diffusion.calls import DenoiserCall
from latelier.engine.evaluation import attempt
from latelier.nn.memory import is_out_of_memory
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.planning.layout import fastest_batch_size

REPEATS = 3
"""Calls with each number of rows, of which the fastest counts. The first one also warms up."""


def default_geometry(parts: PipelineParts) -> PictureGeometry:
    """Return the geometry of a picture of the default size."""
    return PictureGeometry.of_picture(*parts.defaults.size, parts.first_stage)


def positions_at_once(parts: PipelineParts, rows: int | None) -> int:
    """Return the latent positions of a call that is not worth making larger.

    They are those of as many pictures as `generate` makes at once, under guidance, or of the rows
    where these are fixed.
    """
    geometry = default_geometry(parts)
    height, width = geometry.size
    worth = 2 * fastest_batch_size((width, height), parts.device)
    return (worth if rows is None else rows) * prod(geometry.latent_size)


def make_call(parts: PipelineParts, geometry: PictureGeometry, rows: int) -> DenoiserCall:
    """Return an unconditional call of the denoiser."""
    condition = parts.condition_builder().condition({}, rows, geometry)
    shape = rows, parts.first_stage.config.latent_channels, *geometry.latent_size
    x = torch.ones(shape, device=parts.device, dtype=parts.dtype)
    return DenoiserCall(x, torch.zeros(rows, device=parts.device), condition)


def doublings(most: int) -> list[int]:
    """Return 1, 2, 4 ... and `most`."""
    return [*(1 << k for k in range((most - 1).bit_length())), most]


def measure_rows(
    denoiser: Denoiser, make_call: Callable[[int], DenoiserCall], counts: Iterable[int]
) -> dict[int, float]:
    """Return rows -> seconds a row, for rising numbers of rows, until two are not faster.

    Args:
        denoiser: is called.
        make_call: returns a call with a number of rows.
        counts: the numbers of rows.

    Raises:
        OutOfMemoryError: memory is too small for the first number of rows.
    """
    curve: dict[int, float] = {}
    for rows in counts:
        seconds = attempt(partial(_time_call, denoiser, make_call, rows))
        if isinstance(seconds, BaseException):
            if curve and is_out_of_memory(seconds):
                break
            raise seconds
        curve[rows] = seconds / rows
        if min(curve.values()) not in list(curve.values())[-2:]:
            break
    return curve


def _time_call(denoiser: Denoiser, make_call: Callable[[int], DenoiserCall], rows: int) -> float:
    """Return the seconds of the fastest of some calls."""
    call, seconds = make_call(rows), []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call.run(denoiser)
        if call.x.device.type != "cpu":
            torch.accelerator.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
