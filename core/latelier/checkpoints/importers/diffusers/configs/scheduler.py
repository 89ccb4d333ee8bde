"""The configuration of a scheduler, to and from a noise process and a schedule."""

from collections.abc import Mapping
from typing import Any

from latelier.checkpoints.importers.diffusers.configs.edm_scheduler import (
    EDM_SAMPLERS,
    edm_defaults,
    edm_process,
)
from latelier.checkpoints.importers.diffusers.configs.scheduler_classes import (
    SAMPLERS,
    is_distilled,
)
from latelier.checkpoints.importers.diffusers.configs.scheduler_options import (
    SchedulerOptions,
    option_notes,
    read_options,
)
from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.contracts.messages import suggestion
from latelier.diffusion.processes.vp import VP

_BETAS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
_PREDICTIONS = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
_SPACINGS = {name: name for name in ("leading", "trailing", "linspace")}


def process_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the noise process.

    Raises:
        InvalidConfigError: the scheduler is of another process, has an impossible value, or has an
            option that changes the meaning of the model and is not supported.
    """
    if config.get("_class_name") in EDM_SAMPLERS:
        return edm_process(config)
    name, options = read_options(config)
    fields = {
        "kind": "vp",
        "prediction": _look_up(name, "prediction_type", options.prediction_type, _PREDICTIONS),
        "steps": options.num_train_timesteps,
        "beta_start": options.beta_start,
        "beta_end": options.beta_end,
        "beta_schedule": _look_up(name, "beta_schedule", options.beta_schedule, _BETAS),
        "zero_terminal_snr": bool(options.rescale_betas_zero_snr),
        "clip_x0": _clipping_bound(name, options),
    }
    validate(VP, fields, f"'{name}'")
    return fields


def scheduler_notes(config: Mapping[str, Any]) -> list[str]:
    """Return human-readable notes on options that are followed in another way, or not at all.

    Raises:
        InvalidConfigError: see `process_from_diffusers`; or an unknown option is a misspelt one.
    """
    if config.get("_class_name") in EDM_SAMPLERS:
        return []
    name, options = read_options(config)
    notes = option_notes(config)
    bound = _clipping_bound(name, options)
    if bound is not None:
        direction = ", as with use_clipped_model_output=True" if name.startswith("DDIM") else ""
        notes.append(
            f"estimates of x0 are clipped to [-{bound:g}, {bound:g}], like those of the {name} "
            f"(clip_sample or thresholding){direction}"
        )
    return notes


def defaults_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of a run: sampler, steps, schedule and, of distilled models, guidance.

    Raises:
        InvalidConfigError: the spacing is not supported; or see `process_from_diffusers`.
    """
    if config.get("_class_name") in EDM_SAMPLERS:
        return edm_defaults(config)
    name, _ = read_options(config)
    if is_distilled(name):
        # its own training steps are chosen from 50 trailing ones
        schedule = {"name": "model", "options": {"spacing": "trailing"}}
        sampler = SAMPLERS[name] or "ddim"
        return {"sampler": sampler, "steps": 4, "schedule": schedule, "guidance": 1.0}
    return {"sampler": "ddim", "steps": 50, "schedule": schedule_from_diffusers(config)}


def schedule_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schedule 'model' with the options that choose the same training steps.

    Raises:
        InvalidConfigError: the spacing is not supported; or see `process_from_diffusers`.
    """
    name, options = read_options(config)
    spacing = _look_up(name, "timestep_spacing", options.timestep_spacing, _SPACINGS)
    offset = options.steps_offset if spacing == "leading" else 0
    ends_at_first = offset > 0 and not options.set_alpha_to_one
    return {
        "name": "model",
        "options": {
            "spacing": spacing,
            "offset": offset,
            "final": "first" if ends_at_first else "zero",
        },
    }


def scheduler_to_diffusers(process: Any) -> dict[str, Any]:
    """Return a DDIMScheduler's configuration that runs as the schedule 'compvis' does.

    Raises:
        CompatibilityError: the process is not a discrete variance-preserving one.
    """
    if process.kind != "vp":
        raise CompatibilityError(
            f"the process '{process.kind}' cannot be exported to diffusers; only 'vp' can"
        )
    betas = {ours: theirs for theirs, ours in _BETAS.items()}
    if process.beta_schedule not in betas:
        raise CompatibilityError(f"diffusers has no beta_schedule '{process.beta_schedule}'")
    predictions = {ours: theirs for theirs, ours in _PREDICTIONS.items()}
    zero = process.zero_terminal_snr
    clipping = {} if process.clip_x0 is None else {"clip_sample_range": process.clip_x0}
    return {
        "_class_name": "DDIMScheduler",
        "num_train_timesteps": process.steps,
        "beta_start": process.beta_start,
        "beta_end": process.beta_end,
        "beta_schedule": betas[process.beta_schedule],
        "prediction_type": predictions[process.prediction],
        "rescale_betas_zero_snr": zero,
        "timestep_spacing": "trailing" if zero else "leading",
        "steps_offset": 0 if zero else 1,
        "set_alpha_to_one": False,
        "clip_sample": process.clip_x0 is not None,
        **clipping,
    }


def _clipping_bound(name: str, options: SchedulerOptions) -> float | None:
    """Return the magnitude to which x0 is clipped, or None.

    Raises:
        InvalidConfigError: x0 is thresholded by its own range, not by a fixed one.
    """
    if options.thresholding:
        # the threshold is at least 1 and at most sample_max_value
        largest = options.sample_max_value
        if largest != 1:
            raise InvalidConfigError(
                f"'{name}' has thresholding with sample_max_value: {largest:g}, which is not "
                "supported; the guidance option 'threshold' is like it"
            )
        return 1.0
    return options.clip_sample_range if options.clip_sample else None


def _look_up(name: str, key: str, value: Any, known: Mapping[str, str]) -> str:
    if not isinstance(value, str) or value not in known:
        hint = suggestion(str(value), known)
        raise InvalidConfigError(
            f"'{name}' has {key} '{value!s:.80}', which is not supported. {hint}"
        )
    return known[value]
