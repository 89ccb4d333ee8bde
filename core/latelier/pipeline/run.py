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
from latelier.pipeline.conditions import ConditionBuilder
from latelier.pipeline.images import pixel_hash, to_images
from latelier.pipeline.picture import Picture, Preview
from latelier.pipeline.provenance import provenance_of
from latelier.pipeline.request import Request

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
        size = request.size or builder.picture_size(self._given) or pipeline.defaults.size
        self.request = request.model_copy(
            update={
                "size": size,
                "sampler": request.sampler.resolved(atelier.samplers),
                "schedule": request.schedule.resolved(atelier.schedules),
                "guidance": request.guidance.resolved(atelier.guidances),
            }
        )
        self._frame = _frame(pipeline, size)
        self._grid = _grid(pipeline, self.request)
        self._count = len(next(iter(self._given.values()), [None])) * request.n
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
        x = pipeline.process.initial(noise.initial(), self._grid.sigmas[0])
        sampler = pipeline.atelier.samplers.get(choice.name)
        return sampler(self.denoise, x, self._grid, noise=noise, **choice.options)

    def _next(self, sampling: Iterator[Step]) -> Step:
        with torch.no_grad():
            step = next(sampling, None)
        if step is None:
            raise PluginError(
                f"the sampler '{self.request.sampler.name}' stopped before step {self._grid.steps}"
            )
        return step

    def _guided(self, builder: ConditionBuilder) -> Denoise:
        pipeline, choice = self._pipeline, self.request.guidance
        with torch.no_grad():
            condition = builder.condition(self._given, self._count, self._frame)
            null = builder.condition(self._negative, self._count, self._frame)
        predict = Predictor(pipeline.denoiser, pipeline.process, pipeline.dtype)
        guidance = pipeline.atelier.guidances.get(choice.name)
        return guidance(predict, condition, null, self._grid, **choice.options)

    def _decoded(self, latents: Tensor) -> list[Image.Image]:
        pipeline = self._pipeline
        with torch.no_grad():
            return to_images(pipeline.first_stage.decode(latents.to(pipeline.dtype)))

    def _pictures(self, images: list[Image.Image]) -> tuple[Picture, ...]:
        builder = self._pipeline.condition_builder()
        inputs = {
            "inputs": builder.readable(self._given),
            "negative": builder.readable(self._negative),
        }
        request = self.request.model_copy(update=inputs)
        shared = provenance_of(self._pipeline, request, self._count)
        return tuple(
            Picture(image, self.request.seed + k, {**shared, **_own(image, self.request.seed, k)})
            for k, image in enumerate(images)
        )


def _own(image: Image.Image, seed: int, k: int) -> dict[str, Any]:
    return {"index": k, "seed": seed + k, "pixels_sha256": pixel_hash(image)}


def _frame(pipeline: "Pipeline", size: tuple[int, int]) -> Frame:
    width, height = size
    f = pipeline.first_stage.config.downsampling
    multiple = f * pipeline.denoiser.config.size_multiple
    for name, side in (("width", width), ("height", height)):
        if side < multiple or side % multiple:
            nearest = max(multiple, round(side / multiple) * multiple)
            raise InvalidInputError(
                f"size: the {name} {side} is not a multiple of {multiple}, as this model needs; "
                f"the nearest is {nearest}"
            )
    return Frame((height, width), (height // f, width // f), first_stage=pipeline.first_stage)


def _grid(pipeline: "Pipeline", request: Request) -> Grid:
    schedule = pipeline.atelier.schedules.get(request.schedule.name)
    return schedule(request.steps, pipeline.process, **request.schedule.options)
