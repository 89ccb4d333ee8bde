"""Whether a model and its pictures fit in the free memory, and errors that say what would."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import prod

import torch

from latelier.checkpoints.component import Component, tensors_of
from latelier.contracts.components import FirstStage
from latelier.contracts.errors import NotEnoughMemoryError
from latelier.first_stages.tiling.tiling import Tileable
from latelier.nn.memory import format_gigabytes, free_memory, is_out_of_memory
from latelier.pipeline.request import Request, Size

SHARE = 0.5
"""Share of the free memory that the maps of pictures may take by default."""

TILED = 0.5
"""Memory of the maps between layers, which exact tiles store in main memory, as a share of that of
one call. Measured in docs/large-pictures.md."""


def decoding_bytes(first_stage: FirstStage, size: Size, dtype: torch.dtype) -> int:
    """Return the bytes that decoding a picture of `size` in one call takes."""
    return first_stage.config.decoding_values * prod(size) * dtype.itemsize


def tiled_decoding_bytes(
    first_stage: FirstStage, size: Size, tile: int, dtype: torch.dtype
) -> float:
    """Return the bytes of main memory that decoding a picture of `size` on a CPU in tiles takes."""
    width, height = size
    of_tile = decoding_bytes(first_stage, (min(tile, width), min(tile, height)), dtype)
    return TILED * decoding_bytes(first_stage, size, dtype) + of_tile


def check_model_fits(
    components: Iterable[Component], device: torch.device, dtype: torch.dtype
) -> None:
    """Check that the weights of a model fit in the free memory of a device.

    Raises:
        NotEnoughMemoryError: they do not; says what would help.
    """
    tensors = {id(each): each for part in components for each in tensors_of(part.module)}.values()
    needed = sum(
        each.numel() * (dtype.itemsize if each.is_floating_point() else each.itemsize)
        for each in tensors
    )
    free = free_memory(device)
    if needed <= free:
        return
    helps = ["dtype='bfloat16' halves it"] if dtype.itemsize > torch.bfloat16.itemsize else []
    if device.type != "cpu":
        helps += ["offload='components' or 'blocks' keeps them in main memory"]
        helps += ["device='cpu' uses the main memory"]
    helps += ["other programs can be closed"]
    name = str(dtype).removeprefix("torch.")
    raise NotEnoughMemoryError(
        f"the weights need {format_gigabytes(needed)} in {name}, and {format_gigabytes(free)} of "
        f"the memory of '{device}' is free: {'; '.join(helps)}"
    )


def check_pictures_fit(
    needed: float,
    free: int,
    rows: int,
    size: Size,
    device: torch.device,
    options: Iterable[str],
) -> None:
    """Check that decoding fits in the free memory: a system that lends more ends the process.

    Args:
        needed: bytes.
        free: bytes.
        rows: pictures that are decoded at once.
        size: of a picture.
        device: of the run.
        options: what would help.

    Raises:
        NotEnoughMemoryError: it does not fit.
    """
    if needed > free:
        raise NotEnoughMemoryError(
            f"decoding {_pictures(rows, size)} takes {format_gigabytes(needed)}, and "
            f"{format_gigabytes(free)} of the memory of '{device}' is free: {'; '.join(options)}"
        )


@contextmanager
def report_out_of_memory(
    device: torch.device, rows: int, size: Size, options: Iterable[str]
) -> Iterator[None]:
    """Turn an error of the allocator inside into one that says what would help.

    Args:
        device: of the run.
        rows: pictures that are made at once.
        size: of a picture.
        options: what would help.

    Raises:
        NotEnoughMemoryError: the memory is exhausted.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, NotEnoughMemoryError) or not is_out_of_memory(error):
            raise
        reason = str(error).strip().partition("\n")[0] or "no memory is left"
        raise NotEnoughMemoryError(
            f"not enough memory for {_pictures(rows, size)} on '{device}' ({reason}), where "
            f"{format_gigabytes(free_memory(device))} is free: {'; '.join(options)}"
        ) from error


def name_options(
    rows: int, request: Request, first_stage: FirstStage, dtype: torch.dtype
) -> list[str]:
    """Return what would make a run take less memory, of what it does not do already.

    Args:
        rows: pictures that are made at once.
        request: with the tile that the run uses.
        first_stage: the pipeline's.
        dtype: of the pipeline.
    """
    options = ["a smaller `batch_size` makes fewer pictures at once"] if rows > 1 else []
    if not request.tile and isinstance(first_stage, Tileable):
        options.append("`tile` decodes in parts")
    if dtype.itemsize > torch.bfloat16.itemsize:
        options.append("the dtype bfloat16 needs half")
    return [*options, "a smaller `size` needs less"]


def _pictures(rows: int, size: Size) -> str:
    return f"{f'{rows} pictures' if rows > 1 else 'a picture'} of {size[0]} x {size[1]}"
