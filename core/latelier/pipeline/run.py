"""Run a plan: sample each batch, and make its pictures.

The path of a batch:
    encode_inputs        encodes its inputs -> `Conditions`
    make_denoise         denoise.py: applies guidance to them -> `denoise(x, sigma) -> x0`
    sample               yields a `Preview` after each step of
    _denoise_steps       from noise, or a noised picture, to latents: the sampler's steps
    _finish              decoded images to `Picture`s with their provenance
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from latelier.contracts.components import ConditionalFirstStage
from latelier.contracts.images.pixels import tensor_to_pil
from latelier.contracts.sampling import Denoise, Sampler, Step, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.brownian import BrownianNoise
from latelier.diffusion.noise import PerImageNoise
from latelier.kernel.dispatcher import HookDispatcher
from latelier.pipeline.checks.evaluations import EvaluationBudget
from latelier.pipeline.checks.finite import check_finite
from latelier.pipeline.checks.sampler import check_sampler
from latelier.pipeline.conditioning.conditions import Conditions
from latelier.pipeline.denoise import make_denoise
from latelier.pipeline.editing.inpaint import InpaintState, encode_init_images
from latelier.pipeline.editing.repaint import repaint
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.picture import Picture, PictureCopies, Preview, Snapshot
from latelier.pipeline.plan import Plan
from latelier.pipeline.planning.memory import name_options, report_out_of_memory
from latelier.pipeline.provenance import describe_run
from latelier.provenance.pixels import pixel_hash

_log = logging.getLogger(__name__)

EncodeInputs = Callable[[PipelineParts, Plan], Conditions]
"""Returns the conditions of a batch."""


@torch.no_grad()
def encode_inputs(parts: PipelineParts, plan: Plan) -> Conditions:
    """Return the conditions of a batch."""
    return parts.condition_builder().conditions(
        plan.repeat_rows(plan.inputs),
        plan.repeat_rows(plan.negative),
        len(plan.batch),
        plan.geometry,
    )


def run(
    parts: PipelineParts, plan: Plan, encode_inputs: EncodeInputs = encode_inputs
) -> Iterator[Preview]:
    """Return the previews of all batches. The conditions of the first are made at once.

    Args:
        parts: of the pipeline.
        plan: of the run.
        encode_inputs: makes the conditions of a batch.

    Raises:
        InvalidInputError: a conditioner refuses its input.
        NotEnoughMemoryError: the memory is exhausted; the error says what would help.
    """
    for warning in plan.warnings:
        _log.warning("%s", warning)
    if parts.offload is not None:
        parts = replace(parts, offload=parts.offload.for_run())
    budget = EvaluationBudget(parts.limits.evaluations)
    first, *others = plan.batches()
    with _report_out_of_memory(parts, first), parts.placing():
        denoise = make_denoise(parts, first, encode_inputs(parts, first))

    def previews() -> Iterator[Preview]:
        with _report_out_of_memory(parts, first), parts.placing():
            yield from sample(parts, first, budget.charge(denoise, plan.windows))
        for batch in others:
            with _report_out_of_memory(parts, batch), parts.placing():
                denoise_batch = make_denoise(parts, batch, encode_inputs(parts, batch))
                yield from sample(parts, batch, budget.charge(denoise_batch, plan.windows))

    return previews()


def _report_out_of_memory(parts: PipelineParts, plan: Plan) -> AbstractContextManager[None]:
    """Turn errors of the allocator into one that names the options which this plan does not use."""
    height, width = plan.geometry.size
    rows = len(plan.batch)
    options = name_options(rows, plan.request, parts.first_stage, parts.dtype)
    options += ["`window` denoises in parts"] if plan.windowing is None else []
    options += [] if parts.rows is None else ["an engine with fewer `rows` makes smaller calls"]
    if parts.device.type != "cpu" and parts.offload is None:
        options.append("a model loaded with `offload` keeps its weights in main memory")
    return report_out_of_memory(parts.device, rows, (width, height), options)


def sample(parts: PipelineParts, plan: Plan, denoise: Denoise) -> Iterator[Preview]:
    """Yield a preview after each step of a batch; the last has the finished pictures.

    Raises:
        PluginError: the sampler breaks its contract; see `check_sampler`.
        NotFiniteError: a tensor has NaN or infinity; the error names the step and likely causes.
    """
    dispatcher = parts.atelier.dispatcher()
    init = _encode_init(parts, plan)
    decode = partial(_decode, parts, plan, init)
    preview = partial(_decode_preview, parts, plan, init)
    steps = _observe(_denoise_steps(parts, plan, denoise, init), plan.sigmas, preview, dispatcher)
    for index, step in enumerate(steps, start=1):
        is_last = index == plan.sigmas.steps
        yield Preview(
            step=index,
            steps=plan.sigmas.steps,
            sigma=step.sigma,
            latents=step.denoised,
            decode=preview,
            pictures=_finish(parts, plan, decode(step.denoised), dispatcher) if is_last else (),
            batch=plan.batch_number,
            batches=plan.batch_count,
        )


@torch.no_grad()
def _denoise_steps(
    parts: PipelineParts, plan: Plan, denoise: Denoise, init: InpaintState | None
) -> Iterator[Step]:
    """Yield the steps of the sampler; the last one's `denoised` is the finished latents."""
    noise = _make_noise(parts, plan)
    eps, sigma = noise.initial(), plan.sigmas[0]
    if init is None:
        x = parts.process.initial(eps, sigma)
    else:
        x = init.initial(parts.process, eps, sigma)
        denoise = init.hold_known(denoise, parts.process, eps)
    steps = run_sampler(_make_sampler(plan), denoise, x, plan.sigmas, noise)
    for index, step in enumerate(steps, start=1):
        place = f"step {index} of {plan.sigmas.steps} to sigma {step.sigma:.4g}"
        check_finite(parts, plan, place, step.x)
        if index < plan.sigmas.steps:
            yield step
        else:
            yield replace(step, denoised=parts.process.finish(step.x, step.sigma))


def _observe(
    steps: Iterator[Step],
    sigmas: SigmaGrid,
    decode: Callable[[Tensor], list[Image.Image]],
    dispatcher: HookDispatcher,
) -> Iterator[Step]:
    """Yield the steps. Plugins observe each of them before and after it."""
    for index in range(1, sigmas.steps + 1):
        counts = {"step": index, "steps": sigmas.steps}
        dispatcher.emit("latelier_before_step", **counts, sigma=sigmas[index - 1])
        step = next(steps)
        snapshot = Snapshot(step.denoised, decode)
        dispatcher.emit("latelier_after_step", **counts, sigma=step.sigma, snapshot=snapshot)
        yield step


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


def _make_noise(parts: PipelineParts, plan: Plan) -> PerImageNoise | BrownianNoise:
    """Return the noise of the batch, with a seed for each picture."""
    shape = (parts.first_stage.config.latent_channels, *plan.geometry.latent_size)
    if plan.request.noise == "brownian":
        return BrownianNoise(plan.seeds, shape, plan.sigmas.frame, parts.device)
    return PerImageNoise(plan.seeds, shape, parts.device)


def _make_sampler(plan: Plan) -> Sampler:
    """Return the sampler with the checks of its contract, and with RePaint's resampling."""
    sampler = check_sampler(plan.sampler, plan.request.sampler.name)
    if plan.request.repaint_resamples is None:
        return sampler
    return repaint(sampler, plan.request.repaint_resamples)


@torch.no_grad()
def _decode(
    parts: PipelineParts, plan: Plan, init: InpaintState | None, latents: Tensor
) -> list[Image.Image]:
    """Return the finished images of latents."""
    with parts.placing():
        images = plan.first_stage.decode(latents.to(parts.dtype))
        images = _add_known(parts, plan, images)
    return _convert_images(parts, plan, init, images)


@torch.no_grad()
def _decode_preview(
    parts: PipelineParts, plan: Plan, init: InpaintState | None, latents: Tensor
) -> list[Image.Image]:
    """Return images of latents between two steps.

    Raises:
        InvalidInputError: the weights are offloaded, and another run uses them.
    """
    with parts.placing():  # it may be decoded after its run
        images = plan.preview_decoder.decode(latents.to(parts.dtype))
    return _convert_images(parts, plan, init, images)


def _convert_images(
    parts: PipelineParts, plan: Plan, init: InpaintState | None, images: Tensor
) -> list[Image.Image]:
    """Return decoded images as pictures, with the known pixels of the initial ones."""
    check_finite(parts, plan, "decoded image", images)
    return tensor_to_pil(images if init is None else init.restore_known(images))


def _add_known(parts: PipelineParts, plan: Plan, images: Tensor) -> Tensor:
    """Return decoded images with what inputs know of their pixels, if the model takes that."""
    builder = parts.condition_builder()
    names = plan.first_stage.config.known_inputs
    if not any(builder.knows_pixels(name) for name in names):
        return images
    rows = plan.repeat_rows(plan.inputs)
    known = builder.known_pixels(names, rows, len(plan.batch), plan.geometry)
    return cast("ConditionalFirstStage", plan.first_stage).add_known(images, known)


def _finish(
    parts: PipelineParts, plan: Plan, images: list[Image.Image], dispatcher: HookDispatcher
) -> tuple[Picture, ...]:
    """Return pictures with their provenance, and show copies of them to plugins."""
    images = parts.condition_builder().postprocess(plan.repeat_rows(plan.inputs), images)
    shared = describe_run(parts, plan, dispatcher)
    pictures = tuple(
        Picture(
            image,
            seed,
            {
                **shared,
                "index": index,
                "seed": seed,
                "drew": [each.to_json() for each in drawn],
                "pixels_sha256": pixel_hash(image),
            },
        )
        for index, seed, drawn, image in zip(
            plan.batch, plan.seeds, plan.drawn_references(), images, strict=True
        )
    )
    dispatcher.emit("latelier_images_finished", pictures=PictureCopies(pictures))
    return pictures
