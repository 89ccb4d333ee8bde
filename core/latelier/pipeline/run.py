"""Sampling: the loop over the steps of a batch, its hooks, and its pictures."""

import logging
from collections.abc import Iterator

import torch
from PIL import Image
from torch import Tensor

from latelier.contracts.images.pixels import tensor_to_pil
from latelier.contracts.sampling import Denoise, Step, run_sampler
from latelier.diffusion.brownian import BrownianNoise
from latelier.diffusion.noise import PerImageNoise
from latelier.kernel.dispatcher import HookDispatcher
from latelier.pipeline.checks.finite import check_finite
from latelier.pipeline.checks.sampler import check_sampler
from latelier.pipeline.denoise import make_denoise
from latelier.pipeline.editing.inpaint import InpaintState, encode_init_images
from latelier.pipeline.editing.repaint import repaint
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.picture import Picture, PictureCopies, Preview, Snapshot
from latelier.pipeline.plan import Plan
from latelier.pipeline.provenance import describe_run
from latelier.provenance.pixels import pixel_hash

_log = logging.getLogger(__name__)


def run(parts: PipelineParts, plan: Plan) -> Iterator[Preview]:
    """Return the previews of all batches. The conditions of the first are made at once.

    Raises:
        InvalidInputError: a conditioner refuses its input.
    """
    for warning in plan.warnings:
        _log.warning("%s", warning)
    first, *others = plan.batches()
    denoise = make_batch_denoise(parts, first)

    def previews() -> Iterator[Preview]:
        yield from sample(parts, first, denoise)
        for batch in others:
            yield from sample(parts, batch, make_batch_denoise(parts, batch))

    return previews()


@torch.no_grad()
def make_batch_denoise(parts: PipelineParts, plan: Plan) -> Denoise:
    """Return the guided `denoise` of a batch."""
    conditions = parts.condition_builder().conditions(
        plan.repeat_rows(plan.inputs),
        plan.repeat_rows(plan.negative),
        len(plan.batch),
        plan.geometry,
    )
    return make_denoise(parts, plan, conditions)


def sample(parts: PipelineParts, plan: Plan, denoise: Denoise) -> Iterator[Preview]:
    """Yield a preview after each step of a batch; the last has the finished pictures.

    Plugins observe each step before and after it.

    Raises:
        PluginError: the sampler breaks its contract; see `check_sampler`.
        NotFiniteError: a tensor has NaN or infinity; the error names the step and likely causes.
    """
    sigmas, dispatcher = plan.sigmas, parts.atelier.dispatcher()
    init = _encode_init(parts, plan)
    steps = _sample_steps(parts, plan, denoise, init)

    def decode(latents: Tensor) -> list[Image.Image]:
        with torch.no_grad():
            images = plan.first_stage.decode(latents.to(parts.dtype))
        check_finite(parts, plan, "decoded image", images)
        return tensor_to_pil(images if init is None else init.restore_known(images))

    for index in range(1, sigmas.steps + 1):
        counts = {"step": index, "steps": sigmas.steps}
        dispatcher.emit("latelier_before_step", **counts, sigma=sigmas[index - 1])
        with torch.no_grad():
            step = next(steps)
        is_last = index == sigmas.steps
        check_finite(
            parts, plan, f"step {index} of {sigmas.steps} to sigma {step.sigma:.4g}", step.x
        )
        latents = _finish(parts, step) if is_last else step.denoised
        snapshot = Snapshot(latents, decode)
        dispatcher.emit("latelier_after_step", **counts, sigma=step.sigma, snapshot=snapshot)
        pictures = _make_pictures(parts, plan, decode(latents), dispatcher) if is_last else ()
        if is_last:
            dispatcher.emit("latelier_images_finished", pictures=PictureCopies(pictures))
        yield Preview(
            **counts,
            sigma=step.sigma,
            latents=latents,
            decode=decode,
            pictures=pictures,
            batch=plan.batch_number,
            batches=plan.batch_count,
        )


@torch.no_grad()
def _encode_init(parts: PipelineParts, plan: Plan) -> InpaintState | None:
    """Return the pictures that the batch starts from; None for pure noise."""
    if plan.init_image is None:
        return None
    pictures = plan.init_image.init_image
    place = parts.device, parts.dtype
    images, latents = encode_init_images(
        pictures, plan.rows_of_batch(len(pictures)), plan.first_stage, *place
    )
    mask = plan.mask
    if mask is not None:
        mask = mask.select(plan.rows_of_batch(len(mask.known)), parts.device)
    return InpaintState(images, latents, plan.init_image.strength, mask)


def _sample_steps(
    parts: PipelineParts, plan: Plan, denoise: Denoise, init: InpaintState | None
) -> Iterator[Step]:
    """Return the steps of the sampler, from the initial noise or picture of each seed."""
    shape = (parts.first_stage.config.latent_channels, *plan.geometry.latent_size)
    noise: PerImageNoise | BrownianNoise = PerImageNoise(plan.seeds, shape, parts.device)
    if plan.request.noise == "brownian":
        noise = BrownianNoise(plan.seeds, shape, plan.sigmas.frame, parts.device)
    eps, sigma = noise.initial(), plan.sigmas[0]
    if init is None:
        x = parts.process.initial(eps, sigma)
    else:
        x = init.initial(parts.process, eps, sigma)
        denoise = init.hold_known(denoise, parts.process, eps)
    sampler = check_sampler(plan.sampler, plan.request.sampler.name)
    if plan.request.repaint_resamples is not None:
        sampler = repaint(sampler, plan.request.repaint_resamples)
    return run_sampler(sampler, denoise, x, plan.sigmas, noise)


@torch.no_grad()
def _finish(parts: PipelineParts, step: Step) -> Tensor:
    return parts.process.finish(step.x, step.sigma)


def _make_pictures(
    parts: PipelineParts, plan: Plan, images: list[Image.Image], dispatcher: HookDispatcher
) -> tuple[Picture, ...]:
    """Return the finished pictures, each with its provenance."""
    images = parts.condition_builder().postprocess(plan.repeat_rows(plan.inputs), images)
    shared = describe_run(parts, plan, dispatcher)
    return tuple(
        Picture(
            image,
            seed,
            {**shared, "index": index, "seed": seed, "pixels_sha256": pixel_hash(image)},
        )
        for index, seed, image in zip(plan.batch, plan.seeds, images, strict=True)
    )
