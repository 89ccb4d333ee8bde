"""The functions of a run, such as its sampler, by their full ids and with all options."""

from typing import Any

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import options_model
from latelier.contracts.sampling import run_schedule
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.kernel.registry import Registry
from latelier.kernel.trust.guard import guard_plugin
from latelier.pipeline.editing.init_image import last_steps
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.request import NamedOptions, Request


def resolve_functions(
    parts: PipelineParts, request: Request, trusted: bool
) -> dict[str, NamedOptions]:
    """Return sampler, schedule, guidance and acceleration, resolved.

    Raises:
        UnknownNameError: one of them is not registered.
        InvalidInputError: an option is invalid, or the sampler makes no pictures.
    """
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
    accelerations = (
        {}
        if request.acceleration is None
        else {"acceleration": request.acceleration.resolve(atelier.accelerations, trusted=trusted)}
    )
    return {
        **accelerations,
        "sampler": sampler,
        "schedule": request.schedule.resolve(atelier.schedules, trusted=trusted),
        "guidance": _resolve_guidance(request.guidance, own, atelier.guidances, trusted),
    }


def make_sigmas(parts: PipelineParts, request: Request, geometry: PictureGeometry) -> SigmaGrid:
    """Return the sigmas of the steps that run: those of the schedule, or its last ones."""
    schedule = request.schedule.bind(parts.atelier.schedules)
    with guard_plugin(f"the schedule '{request.schedule.name}'"):
        sigmas = run_schedule(schedule, request.steps, parts.process, geometry)
    return sigmas if request.strength is None else last_steps(sigmas, request.strength)


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
