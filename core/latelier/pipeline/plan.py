"""Plan a run: turn a request into a complete plan before the first step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from pydantic import BaseModel

from latelier.contracts.components import FirstStage, PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.contracts.options import options_model
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.kernel.registry import Registry
from latelier.pipeline.conditioning.rows import Rows, check_divisor, repeat_rows
from latelier.pipeline.editing.init_image import InitImage, last_steps, read_init_image
from latelier.pipeline.editing.inpaint import InpaintMask, make_inpaint_mask
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.request import NamedOptions, Request, Size, check_sides
from latelier.pipeline.tiling.multidiffusion import Windowing, read_windowing
from latelier.pipeline.tiling.tiled_first_stage import read_tile, with_tiles

PIXELS_AT_ONCE = {"cpu": 256 * 256, "gpu": 1024 * 1024}
"""Default number of pixels in a batch. Larger batches are hardly faster and need more memory."""

FAR_BEYOND = 4
"""A picture of this many times the trained size gets a warning that suggests windows."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A run of one batch of pictures.

    Attributes:
        request: the request, complete: what provenance records.
        inputs: conditioner -> its input for each row.
        negative: conditioner -> its negative input for each row.
        count: number of pictures in all batches.
        batch: indices in range(count) of the pictures that this plan makes.
        geometry: of a picture.
        first_stage: the pipeline's, with tiling if the plan uses it.
        init_image: the initial images; None for pure noise.
        mask: the known area of each row of `init_image`; None if every cell may change.
        windowing: how pictures are denoised in windows; None for one piece.
        sampler: with its options.
        guidance: with its options.
        sigmas: of the steps that run.
        warnings: human-readable sentences.
    """

    request: Request
    inputs: Rows
    negative: Rows
    count: int
    batch: range
    geometry: PictureGeometry
    first_stage: FirstStage
    init_image: InitImage | None
    mask: InpaintMask | None
    windowing: Windowing | None
    sampler: Callable[..., Any]
    guidance: Callable[..., Any]
    sigmas: SigmaGrid
    warnings: tuple[str, ...]

    @property
    def seeds(self) -> list[int]:
        """The seed of each picture of the batch."""
        return [self.request.seed + k for k in self.batch]

    @property
    def batch_size(self) -> int:
        """Most pictures of a batch."""
        return self.request.batch_size or self.count

    @property
    def batch_count(self) -> int:
        """Number of batches."""
        return ceil(self.count / self.batch_size)

    @property
    def batch_number(self) -> int:
        """Which batch this is, counted from 1."""
        return self.batch.start // self.batch_size + 1

    def batches(self) -> "Iterator[Plan]":
        """Yield the plan of each batch."""
        for start in range(0, self.count, self.batch_size):
            yield replace(self, batch=range(start, min(start + self.batch_size, self.count)))

    def batch_of(self, index: int) -> "Plan":
        """Return the plan of the batch that makes picture `index`."""
        return next(each for each in self.batches() if index in each.batch)

    def repeat_rows(self, rows: Rows) -> Rows:
        """Return the value of each picture of the batch, from those of all rows of the run."""
        pictures = slice(self.batch.start, self.batch.stop)
        return {
            name: repeat_rows(name, values, self.count)[pictures] for name, values in rows.items()
        }

    def rows_of_batch(self, total: int) -> list[int]:
        """Return the row index of each picture of the batch, from `total` rows of the run."""
        return [k * total // self.count for k in self.batch]


def make_plan(parts: PipelineParts, request: Request, *, trusted: bool = True) -> Plan:
    """Return the plan of a run, and reject a request that cannot run.

    Args:
        parts: the pipeline's, without unused adapters.
        request: the request.
        trusted: False for a request from a client: its values name no files.

    Raises:
        UnknownNameError: a sampler, schedule or guidance that is not registered.
        InvalidInputError: a value is invalid; the error names it and says what is valid.
    """
    builder = parts.condition_builder()
    inputs = builder.read(request.inputs, trusted=trusted, check_count=parts.limits.check_pictures)
    rows = len(next(iter(inputs.values()), [None]))
    init = read_init_image(request, rows)
    rows = max(rows, 1 if init is None else init.rows)
    count = rows * request.n
    size = _choose_size(parts, request, inputs, init)
    parts.limits.check(size, count)
    _check_seeds(request.seed, count)
    negative = builder.read(
        request.negative,
        trusted=trusted,
        check_count=lambda name, rows: check_divisor(f"negative.{name}", rows, count),
    )
    init = None if init is None else init.resize(size)
    warnings = [*_warnings(parts, request, size, rows, inputs), *builder.check(inputs)]
    warnings += [f"negative {warning}" for warning in builder.check(negative)]
    if init is not None and init.mask is not None and parts.inpainting_conditioners:
        inputs |= _inpainting_inputs(parts, request, init, inputs, rows)

    tile = read_tile(request, size, parts.first_stage)
    first_stage = with_tiles(parts.first_stage, tile)
    geometry = _geometry(size, first_stage)
    batch_size = min(count, request.batch_size or _default_batch_size(size, parts.device.type))
    windowing = read_windowing(request, geometry, parts.size_multiple, batch_size)
    found = {"size": size, "tile": tile, "batch_size": batch_size}
    found |= _editing_fields(init) | _window_fields(windowing)
    functions = _resolve_functions(parts, request, trusted)
    request = request.model_copy(update=found | functions)
    mask = _held_mask(parts, init)
    plan = Plan(
        request=request,
        inputs=inputs,
        negative=negative,
        count=count,
        batch=range(count),
        geometry=geometry,
        first_stage=first_stage,
        init_image=_starting_image(init, mask),
        mask=mask,
        windowing=windowing,
        sampler=request.sampler.bind(parts.atelier.samplers),
        guidance=request.guidance.bind(parts.atelier.guidances),
        sigmas=_make_sigmas(parts, request),
        warnings=tuple(warnings),
    )
    _check_inputs(parts, plan)
    return plan


def _check_inputs(parts: PipelineParts, plan: Plan) -> None:
    """Check that row counts match, and validate the inputs of later batches.

    Those of the first batch are validated when its conditions are made.
    """
    for rows in (plan.inputs, plan.negative):
        plan.repeat_rows(rows)
        if plan.batch_count > 1:
            parts.condition_builder().check_prepare(rows, plan.geometry)


def _held_mask(parts: PipelineParts, init: InitImage | None) -> InpaintMask | None:
    """Return the known area for a model that was not trained to inpaint; else None."""
    if init is None or init.mask is None or parts.inpainting_conditioners:
        return None
    return make_inpaint_mask(init.mask, parts.first_stage.config.downsampling)


def _editing_fields(init: InitImage | None) -> dict[str, Any]:
    """Return the fields of a request that its initial images complete."""
    if init is None:
        return {}
    return {"init_image": init.init_image, "strength": init.strength, "mask": init.mask}


def _window_fields(windowing: Windowing | None) -> dict[str, Any]:
    """Return the fields of a request that its windows complete."""
    if windowing is None:
        return {}
    return {
        "window": windowing.window,
        "overlap": windowing.overlap,
        "window_batch": windowing.window_batch,
    }


def _starting_image(init: InitImage | None, mask: InpaintMask | None) -> InitImage | None:
    """Return the initial images, or None if the run starts from pure noise and holds nothing."""
    if init is None or (init.strength == 1 and mask is None):
        return None
    return init


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


def _geometry(size: Size, first_stage: FirstStage) -> PictureGeometry:
    width, height = size
    f = first_stage.config.downsampling
    return PictureGeometry((height, width), (height // f, width // f), first_stage=first_stage)


def _default_batch_size(size: Size, device: str) -> int:
    width, height = size
    return max(1, PIXELS_AT_ONCE["cpu" if device == "cpu" else "gpu"] // (width * height))


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


def _resolve_functions(
    parts: PipelineParts, request: Request, trusted: bool
) -> dict[str, NamedOptions]:
    """Return sampler, schedule and guidance by their full ids, with all options."""
    atelier = parts.atelier
    own = parts.defaults.guidance
    sampler = request.sampler.resolve(atelier.samplers, trusted=trusted)
    traits = atelier.samplers.spec(sampler.name).traits
    if traits is not None and traits.is_inversion:
        raise InvalidInputError(
            f"the sampler '{request.sampler.name}' goes from an image to its noise and makes no "
            "picture; it is for latents and the pipeline's `denoise_fn`",
            field="sampler",
        )
    return {
        "sampler": sampler,
        "schedule": request.schedule.resolve(atelier.schedules, trusted=trusted),
        "guidance": _resolve_guidance(request.guidance, own, atelier.guidances, trusted),
    }


def _resolve_guidance(
    choice: NamedOptions, own: NamedOptions, guidances: Registry[Any], trusted: bool
) -> NamedOptions:
    """Return a choice of guidance with all options, the model's own scale included.

    A rule takes that scale if its default is the same as that of the model's rule, such as
    `cfg_rescale` where the model uses `cfg`. Other scales mean something else.
    """
    resolved = choice.resolve(guidances, trusted=trusted)
    if "scale" in choice.options or "scale" not in own.options:
        return resolved
    own_default = options_model(guidances.get(own.name)).model_fields["scale"].default
    if resolved.options.get("scale") != own_default:
        return resolved
    options = {**resolved.options, "scale": own.options["scale"]}
    return NamedOptions(name=resolved.name, options=options)


def _make_sigmas(parts: PipelineParts, request: Request) -> SigmaGrid:
    """Return the sigmas of the steps that run: those of the schedule, or its last ones."""
    schedule = request.schedule.bind(parts.atelier.schedules)
    sigmas = schedule(request.steps, parts.process)
    return sigmas if request.strength is None else last_steps(sigmas, request.strength)


def _warnings(
    parts: PipelineParts, request: Request, size: Size, rows: int, inputs: Rows
) -> Iterator[str]:
    if request.n > 1 and rows > 1:
        yield (
            f"n: {request.n} pictures for each of {rows} rows of inputs, {rows * request.n} in all"
        )
    width, height = parts.defaults.size
    has_map = any(parts.conditioners[name].config.outputs().spatial for name in inputs)
    if size[0] * size[1] >= FAR_BEYOND * width * height and not (request.window or has_map):
        yield (
            f"size: {size[0]}x{size[1]} is far beyond the {width}x{height} that the model was "
            f"trained on, where things repeat; window={width} denoises in windows of that size"
        )
