"""One run of a pipeline: everything that it needs to itself."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from latelier.contracts.components import FirstStage, PictureGeometry
from latelier.contracts.condition import Condition, concat
from latelier.contracts.errors import InvalidInputError, PluginError
from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.brownian import BrownianNoise
from latelier.diffusion.noise import PerImageNoise
from latelier.diffusion.predict import Predictor
from latelier.kernel.dispatcher import HookDispatcher
from latelier.pipeline.conditions import ConditionBuilder, Rows
from latelier.pipeline.editing.init_image import Start, read_start, tail
from latelier.pipeline.editing.inpaint import Canvas, canvas
from latelier.pipeline.editing.repaint import resampled
from latelier.pipeline.images import pixel_hash, to_images
from latelier.pipeline.picture import Copies, Picture, Preview, Snapshot
from latelier.pipeline.provenance import provenance_of
from latelier.pipeline.request import NamedOptions, Request, Side, check_sides
from latelier.pipeline.tiling.multidiffusion import Windowing, read_windowing, windowed
from latelier.pipeline.tiling.tiled_first_stage import in_tiles, read_tile
from latelier.pipeline.tiling.windows import Window

if TYPE_CHECKING:
    from latelier.pipeline.pipeline import Pipeline


class Run:
    """Validates a request, makes its conditions, and samples.

    Raises:
        UnknownNameError, InvalidInputError: the request cannot be met; says why.
    """

    def __init__(self, pipeline: "Pipeline", request: Request) -> None:
        atelier = pipeline.atelier
        pipeline = pipeline.telling({*request.inputs, *request.negative})
        builder = pipeline.condition_builder()
        multiple = pipeline.first_stage.config.downsampling * pipeline.denoiser.config.size_multiple
        self._pipeline = pipeline
        self._given, self._negative = builder.read(request.inputs), builder.read(request.negative)
        rows = len(next(iter(self._given.values()), [None]))
        start = read_start(request, rows)
        size = request.size or self._size_asked_for(builder, start) or pipeline.defaults.size
        _check_size(size, "init_image" if start and not request.size else "size", multiple)
        tile = read_tile(request, size, pipeline.first_stage)
        self._first_stage = in_tiles(pipeline.first_stage, tile)
        self._frame = _frame(size, self._first_stage)
        if start is not None:
            start = start.resized(size)
            rows = max(rows, start.rows)
        self._count = rows * request.n
        windowing = read_windowing(request, self._frame, multiple, self._count)
        self.request = request.model_copy(
            update={
                "size": size,
                "tile": tile,
                **({} if start is None else vars(start)),
                **({} if windowing is None else vars(windowing)),
                "sampler": _sampler(pipeline, request),
                "schedule": request.schedule.resolved(atelier.schedules),
                "guidance": request.guidance.resolved(atelier.guidances),
            }
        )
        grid = _grid(pipeline, self.request)
        self._grid = grid if start is None else tail(grid, start.strength)
        self._canvas = None if start is None else self._encoded(start)
        self.denoise: Denoise = self._guided(builder, windowing)

    def previews(self) -> Iterator[Preview]:
        """Yield a preview after each step; the last holds the finished pictures.

        Plugins are told of each step before and after it.
        """
        steps, sigmas = self._grid.steps, self._grid.sigmas
        dispatcher = self._pipeline.atelier.dispatcher()
        sampling = self._sampling()
        for index in range(1, steps + 1):
            dispatcher.emit(
                "latelier_before_step", step=index, steps=steps, sigma=sigmas[index - 1]
            )
            step = self._next(sampling)
            latents = step.denoised if index < steps else self._finished(step)
            dispatcher.emit(
                "latelier_after_step",
                step=index,
                steps=steps,
                sigma=step.sigma,
                snapshot=Snapshot(latents, self._decoded),
            )
            pictures = self._pictures(latents, dispatcher) if index == steps else ()
            if pictures:
                dispatcher.emit("latelier_images_finished", pictures=Copies(pictures))
            yield Preview(index, steps, step.sigma, latents, self._decoded, pictures)

    def _sampling(self) -> Iterator[Step]:
        pipeline, choice = self._pipeline, self.request.sampler
        seeds = [self.request.seed + k for k in range(self._count)]
        shape = (pipeline.first_stage.config.latent_channels, *self._frame.latent_size)
        noise: PerImageNoise | BrownianNoise = PerImageNoise(seeds, shape, pipeline.device)
        if self.request.noise == "brownian":
            noise = BrownianNoise(seeds, shape, self._grid.frame, pipeline.device)
        eps, sigma, denoise = noise.initial(), self._grid.sigmas[0], self.denoise
        if self._canvas is None:
            x = pipeline.process.initial(eps, sigma)
        else:
            x = self._canvas.first(pipeline.process, eps, sigma)
            denoise = self._canvas.keeping(denoise, pipeline.process, eps)
        sampler = pipeline.atelier.samplers.get(choice.name)
        if self.request.resample is not None:
            sampler = resampled(sampler, self.request.resample)
        return sampler(denoise, x, self._grid, noise=noise, **choice.options)

    def _next(self, sampling: Iterator[Step]) -> Step:
        with torch.no_grad():
            step = next(sampling, None)
        if step is None:
            raise PluginError(
                f"the sampler '{self.request.sampler.name}' stopped before step {self._grid.steps}"
            )
        return step

    @torch.no_grad()
    def _finished(self, step: Step) -> Tensor:
        return self._pipeline.process.finish(step.x, step.sigma)

    def _size_asked_for(self, builder: ConditionBuilder, start: Start | None) -> Side | None:
        images = () if start is None else start.init_image
        return builder.output_size(self._given, [("init_image", each.size) for each in images])

    def _encoded(self, start: Start) -> Canvas:
        pipeline = self._pipeline
        place = pipeline.device, pipeline.dtype
        with torch.no_grad():
            return canvas(start, self._first_stage, self._count, *place)

    @torch.no_grad()
    def _guided(self, builder: ConditionBuilder, windowing: Windowing | None) -> Denoise:
        condition = builder.condition(self._given, self._count, self._frame)
        null = builder.steered_from(condition, self._negative, self._frame)

        def told(value: Any) -> tuple[Condition, Rows]:
            rows = builder.with_first(self._given, value)
            return builder.condition(rows, self._count, self._frame), rows

        if windowing is None:
            predict = self._predictor(self._pipeline.first_stage, lambda value: told(value)[0])
            return self._guided_by(predict, condition, null)

        def seen(whole: Condition, rows: Rows, chunk: Sequence[Window]) -> Condition:
            return concat([builder.seen(whole, rows, self._frame, window) for window in chunk])

        def denoise_of(chunk: Sequence[Window]) -> Denoise:
            predict = self._predictor(None, lambda value: seen(*told(value), chunk))
            return self._guided_by(
                predict, seen(condition, self._given, chunk), seen(null, self._negative, chunk)
            )

        return windowed(windowing.over(self._frame), windowing.window_batch, denoise_of)

    def _predictor(
        self, first_stage: FirstStage | None, condition_for: Callable[[Any], Condition]
    ) -> Predictor:
        pipeline = self._pipeline
        return Predictor(
            pipeline.denoiser,
            pipeline.process,
            pipeline.dtype,
            first_stage,
            condition_for,
            {name: each.use for name, each in pipeline.adapters.items()},
        )

    def _guided_by(self, predict: Predictor, condition: Condition, null: Condition) -> Denoise:
        choice = self.request.guidance
        guidance = self._pipeline.atelier.guidances.get(choice.name)
        return guidance(predict, condition, null, self._grid, **choice.options)

    def _decoded(self, latents: Tensor) -> list[Image.Image]:
        with torch.no_grad():
            images = self._first_stage.decode(latents.to(self._pipeline.dtype))
            return to_images(self._canvas.finished(images) if self._canvas else images)

    def _pictures(self, latents: Tensor, dispatcher: HookDispatcher) -> tuple[Picture, ...]:
        builder = self._pipeline.condition_builder()
        images = builder.finished(self._given, self._decoded(latents))
        inputs = {
            "inputs": builder.readable(self._given),
            "negative": builder.readable(self._negative),
        }
        request = self.request.model_copy(update=inputs)
        steps = self._grid.steps
        shared = provenance_of(self._pipeline, request, self._count, steps, dispatcher)
        return tuple(
            Picture(image, self.request.seed + k, {**shared, **_own(image, self.request.seed, k)})
            for k, image in enumerate(images)
        )


def _own(image: Image.Image, seed: int, k: int) -> dict[str, Any]:
    return {"index": k, "seed": seed + k, "pixels_sha256": pixel_hash(image)}


def _check_size(size: Side, what: str, multiple: int) -> None:
    """Refuse a size that the model cannot take; `what` asked for it."""
    hint = "" if what == "size" else ", and with a size given it is resized to that"
    check_sides(what, dict(zip(("width", "height"), size)), multiple, hint)


def _frame(size: Side, first_stage: FirstStage) -> PictureGeometry:
    width, height = size
    f = first_stage.config.downsampling
    return PictureGeometry((height, width), (height // f, width // f), first_stage=first_stage)


def _sampler(pipeline: "Pipeline", request: Request) -> NamedOptions:
    """Return the choice by its full id, complete; refuse one that goes the other way."""
    samplers, name = pipeline.atelier.samplers, request.sampler.name
    traits = samplers.spec(name).traits
    if traits is not None and traits.is_inversion:
        raise InvalidInputError(
            f"the sampler '{name}' goes from an image to its noise and makes no picture; it is for "
            "latents and the pipeline's `denoise_fn`"
        )
    return request.sampler.resolved(samplers)


def _grid(pipeline: "Pipeline", request: Request) -> SigmaGrid:
    schedule = pipeline.atelier.schedules.get(request.schedule.name)
    return schedule(request.steps, pipeline.process, **request.schedule.options)
