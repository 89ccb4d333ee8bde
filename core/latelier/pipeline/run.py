"""One run of a pipeline: everything that it needs to itself."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from latelier.diffusion.noise import ImageNoise
from latelier.diffusion.predict import Predictor
from latelier.kernel.contracts import Denoise, Frame, Grid, Step
from latelier.kernel.errors import InvalidInputError, PluginError
from latelier.pipeline.canvas import Canvas, canvas
from latelier.pipeline.conditions import ConditionBuilder
from latelier.pipeline.images import pixel_hash, to_images
from latelier.pipeline.picture import Picture, Preview
from latelier.pipeline.provenance import provenance_of
from latelier.pipeline.request import Request, Side
from latelier.pipeline.starting import Start, read_start, tail

if TYPE_CHECKING:
    from latelier.pipeline.pipeline import Pipeline


class Run:
    """Validates a request, makes its conditions, and samples.

    Raises:
        UnknownNameError, InvalidInputError: the request cannot be met; says why.
    """

    def __init__(self, pipeline: "Pipeline", request: Request) -> None:
        atelier = pipeline.atelier
        builder = pipeline.condition_builder()
        self._pipeline = pipeline
        self._given, self._negative = builder.read(request.inputs), builder.read(request.negative)
        rows = len(next(iter(self._given.values()), [None]))
        start = read_start(request, rows)
        size = request.size or self._size_asked_for(builder, start) or pipeline.defaults.size
        self._frame = _frame(pipeline, size, "init_image" if start and not request.size else "size")
        started: dict[str, Any] = {}
        if start is not None:
            start = start.resized(size)
            started = vars(start)
            rows = max(rows, start.rows)
        self.request = request.model_copy(
            update={
                "size": size,
                **started,
                "sampler": request.sampler.resolved(atelier.samplers),
                "schedule": request.schedule.resolved(atelier.schedules),
                "guidance": request.guidance.resolved(atelier.guidances),
            }
        )
        grid = _grid(pipeline, self.request)
        self._grid = grid if start is None else tail(grid, start.strength)
        self._count = rows * request.n
        self._canvas = None if start is None else self._encoded(start)
        self.denoise: Denoise = self._guided(builder)

    def previews(self) -> Iterator[Preview]:
        """Yield a preview after each step; the last holds the finished pictures."""
        steps = self._grid.steps
        sampling = self._sampling()
        for index in range(1, steps):
            step = self._next(sampling)
            yield Preview(index, steps, step.sigma, step.denoised, self._decoded)
        step = self._next(sampling)
        with torch.no_grad():
            latents = self._pipeline.process.finish(step.x, step.sigma)
        pictures = self._pictures(self._decoded(latents))
        self._pipeline.atelier.announcer().tell("latelier_images_finished", pictures=pictures)
        yield Preview(steps, steps, step.sigma, latents, self._decoded, pictures)

    def _sampling(self) -> Iterator[Step]:
        pipeline, choice = self._pipeline, self.request.sampler
        seeds = [self.request.seed + k for k in range(self._count)]
        shape = (pipeline.first_stage.config.latent_channels, *self._frame.latent_size)
        noise = ImageNoise(seeds, shape, pipeline.device)
        eps, sigma, denoise = noise.initial(), self._grid.sigmas[0], self.denoise
        if self._canvas is None:
            x = pipeline.process.initial(eps, sigma)
        else:
            x = self._canvas.first(pipeline.process, eps, sigma)
            denoise = self._canvas.keeping(denoise, pipeline.process, eps)
        sampler = pipeline.atelier.samplers.get(choice.name)
        return sampler(denoise, x, self._grid, noise=noise, **choice.options)

    def _next(self, sampling: Iterator[Step]) -> Step:
        with torch.no_grad():
            step = next(sampling, None)
        if step is None:
            raise PluginError(
                f"the sampler '{self.request.sampler.name}' stopped before step {self._grid.steps}"
            )
        return step

    def _size_asked_for(self, builder: ConditionBuilder, start: Start | None) -> Side | None:
        images = () if start is None else start.init_image
        return builder.picture_size(self._given, [("init_image", each.size) for each in images])

    def _encoded(self, start: Start) -> Canvas:
        pipeline = self._pipeline
        place = pipeline.device, pipeline.dtype
        with torch.no_grad():
            return canvas(start, pipeline.first_stage, self._count, *place)

    def _guided(self, builder: ConditionBuilder) -> Denoise:
        pipeline, choice = self._pipeline, self.request.guidance
        with torch.no_grad():
            condition = builder.condition(self._given, self._count, self._frame)
            null = builder.steered_from(condition, self._negative, self._frame)
        predict = Predictor(pipeline.denoiser, pipeline.process, pipeline.dtype)
        guidance = pipeline.atelier.guidances.get(choice.name)
        return guidance(predict, condition, null, self._grid, **choice.options)

    def _decoded(self, latents: Tensor) -> list[Image.Image]:
        pipeline = self._pipeline
        with torch.no_grad():
            images = pipeline.first_stage.decode(latents.to(pipeline.dtype))
            return to_images(self._canvas.finished(images) if self._canvas else images)

    def _pictures(self, images: list[Image.Image]) -> tuple[Picture, ...]:
        builder = self._pipeline.condition_builder()
        images = builder.finished(self._given, images)
        inputs = {
            "inputs": builder.readable(self._given),
            "negative": builder.readable(self._negative),
        }
        request = self.request.model_copy(update=inputs)
        shared = provenance_of(self._pipeline, request, self._count, self._grid.steps)
        return tuple(
            Picture(image, self.request.seed + k, {**shared, **_own(image, self.request.seed, k)})
            for k, image in enumerate(images)
        )


def _own(image: Image.Image, seed: int, k: int) -> dict[str, Any]:
    return {"index": k, "seed": seed + k, "pixels_sha256": pixel_hash(image)}


def _frame(pipeline: "Pipeline", size: Side, what: str) -> Frame:
    """Return the frame of `size`, which `what` asked for."""
    width, height = size
    f = pipeline.first_stage.config.downsampling
    multiple = f * pipeline.denoiser.config.size_multiple
    hint = "" if what == "size" else ", and with a size given it is resized to that"
    for name, side in (("width", width), ("height", height)):
        if side < multiple or side % multiple:
            nearest = max(multiple, round(side / multiple) * multiple)
            raise InvalidInputError(
                f"{what}: the {name} {side} is not a multiple of {multiple}, as this model needs; "
                f"the nearest is {nearest}{hint}"
            )
    return Frame((height, width), (height // f, width // f), first_stage=pipeline.first_stage)


def _grid(pipeline: "Pipeline", request: Request) -> Grid:
    schedule = pipeline.atelier.schedules.get(request.schedule.name)
    return schedule(request.steps, pipeline.process, **request.schedule.options)
