"""What the pictures of a run are made from: inputs, initial images, and their size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.pipeline.conditioning.rows import Rows, check_divisor
from latelier.pipeline.editing.init_image import InitImage, read_init_image
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.planning.aspect import warn_of_cropping
from latelier.pipeline.planning.references.drawn import Lookup
from latelier.pipeline.planning.references.lookup import choose_database, look_up_references
from latelier.pipeline.planning.references.placing import place_references
from latelier.pipeline.request import Request, Size, check_sides

FAR_BEYOND = 4
"""A picture of this many times the trained size gets a warning that suggests windows."""


@dataclass(frozen=True, eq=False)
class Content:
    """What the pictures of a run are made from.

    Attributes:
        inputs: conditioner -> its input for each row.
        negative: conditioner -> its negative input for each row.
        init: the initial images, of `size`; None if the request has none.
        count: number of pictures.
        size: (width, height) of each, in pixels.
        warnings: human-readable sentences, with fields of the request in backticks.
        database: id of the database in which names were looked up; None without one.
        references: what the look-up found in the inputs.
        negative_references: what it found in the negative inputs.
    """

    inputs: Rows
    negative: Rows
    init: InitImage | None
    count: int
    size: Size
    warnings: tuple[str, ...]
    database: str | None
    references: Lookup
    negative_references: Lookup

    def fields(self) -> dict[str, Any]:
        """Return the fields of the request that this completes."""
        fields = {"size": self.size, "database": self.database}
        if self.init is None:
            return fields
        init = self.init
        return {
            **fields,
            "init_image": init.init_image,
            "strength": init.strength,
            "mask": init.mask,
        }


def read_content(parts: PipelineParts, request: Request, *, trusted: bool) -> Content:
    """Read the inputs and initial images of a request, and choose the size of its pictures.

    Args:
        parts: the pipeline's.
        request: the request.
        trusted: False for a request from a client: its values name no files.

    Raises:
        InvalidInputError: a value is invalid, or the request exceeds a limit of the pipeline.
    """
    builder = parts.condition_builder()
    database = choose_database(parts, request)
    references = look_up_references(
        parts,
        database,
        builder.read(request.inputs, trusted=trusted, check_count=parts.limits.check_pictures),
    )
    rows = len(next(iter(references.rows.values()), [None]))
    init = read_init_image(request, rows)
    rows = max(rows, 1 if init is None else init.rows)
    count = rows * request.n
    size = _choose_size(parts, request, references.rows, init)
    parts.limits.check(size, count)
    _check_seeds(request.seed, count)
    negative_references = look_up_references(
        parts,
        database,
        builder.read(
            request.negative,
            trusted=trusted,
            check_count=lambda name, rows: check_divisor(f"negative.{name}", rows, count),
        ),
    )
    init = None if init is None else init.resize(size)
    seeds = range(request.seed, request.seed + count)
    references = place_references(parts, references, seeds, size, init)
    negative_references = place_references(parts, negative_references, seeds, size, init)
    inputs, negative = references.rows, negative_references.rows
    warnings = [*_warnings(parts, request, size, rows, inputs), *references.warnings]
    warnings += builder.check(references.unchecked)
    for warning in (
        *negative_references.warnings,
        *builder.check(negative_references.unchecked),
    ):
        warnings.append(f"negative {warning}")
    if init is not None and init.mask is not None and parts.inpainting_conditioners:
        inputs |= _inpainting_inputs(parts, request, init, inputs, rows)
    warnings += _missing_maps(parts, inputs)
    warnings += warn_of_cropping(parts, inputs, size)
    return Content(
        inputs,
        negative,
        init,
        count,
        size,
        tuple(warnings),
        database,
        references,
        negative_references,
    )


def _choose_size(
    parts: PipelineParts, request: Request, inputs: Rows, init: InitImage | None
) -> Size:
    """Return the size of the pictures: the given one, else that of the inputs, else the default."""
    images = () if init is None else init.init_image
    of_images = [("`init_image`", image.size) for image in images]
    size = request.size or parts.condition_builder().output_size(inputs, of_images)
    size = size or parts.defaults.size
    field = "init_image" if images and not request.size else "size"
    hint = "" if field == "size" else ", and with a `size` it is resized to that"
    check_sides(field, dict(zip(("width", "height"), size)), parts.size_multiple, hint)
    return size


def _check_seeds(seed: int, count: int) -> None:
    """Reject a seed that overflows for the last picture."""
    if seed + count > 2**63:
        raise InvalidInputError.of_field(
            "seed",
            f"picture k has seed + k, and {seed} + {count - 1} is above 2^63 - 1; the greatest for "
            f"{count} pictures is {2**63 - count}",
        )


def _inpainting_inputs(
    parts: PipelineParts, request: Request, init: InitImage, inputs: Rows, rows: int
) -> dict[str, list[BaseModel | None]]:
    """Return `init_image` and `mask` as the inputs of an inpainting model's conditioners."""
    if request.repaint_resamples is not None:
        raise InvalidInputError.of_field(
            "repaint_resamples",
            "this model is trained to inpaint, and nothing is held that resampling could blend; "
            "leave it out",
        )
    images, masks = init.init_image, init.mask or ()
    given: dict[str, list[BaseModel | None]] = {}
    for name in parts.inpainting_conditioners:
        if name in inputs:
            raise InvalidInputError.of_field(
                "mask",
                f"the conditioner '{name}' takes `init_image` and `mask`, and its own input is "
                "given too; give one of the two",
            )
        model = parts.conditioners[name].Input
        given[name] = [
            read_input(
                model, {"image": images[k % len(images)], "mask": masks[k % len(masks)]}, "mask"
            )
            for k in range(rows)
        ]
    return given


def _warnings(
    parts: PipelineParts, request: Request, size: Size, rows: int, inputs: Rows
) -> Iterator[str]:
    if request.n > 1 and rows > 1:
        total = rows * request.n
        yield f"`n`: {request.n} pictures for each of {rows} rows of inputs, {total} in all"
    width, height = parts.defaults.size
    has_map = any(parts.conditioners[name].config.outputs().spatial for name in inputs)
    if size[0] * size[1] >= FAR_BEYOND * width * height and not (request.window or has_map):
        yield (
            f"`size`: {size[0]}x{size[1]} is far beyond the {width}x{height} that the model was "
            f"trained on, where things repeat; `window={width}` denoises in windows of that size"
        )


def _missing_maps(parts: PipelineParts, inputs: Rows) -> Iterator[str]:
    """Warn of spatial conditions that are missing and that the model was never trained without."""
    for public, names in parts.inputs.items():
        for name in names:
            config = parts.conditioners[name].config
            if config.outputs().spatial and not config.is_optional and name not in inputs:
                given = "`init_image` and `mask`" if config.is_inpainting else f"input '{public}'"
                yield f"{public}: this model draws from {given}, missing here: it gets an empty one"
