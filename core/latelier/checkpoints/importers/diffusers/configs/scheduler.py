"""The configuration of a scheduler, to and from a noise process and a schedule."""

from collections.abc import Mapping
from typing import Any

from latelier.contracts.errors import CompatibilityError, InvalidConfigError, suggestion

_BETAS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
_PREDICTIONS = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
_SPACINGS = ("leading", "trailing", "linspace")

_CLIPPING = (
    "DDIMInverseScheduler",
    "DDIMParallelScheduler",
    "DDIMScheduler",
    "DDPMParallelScheduler",
    "DDPMScheduler",
    "RePaintScheduler",
)
"""Schedulers that clip x0 by default."""

_LEADING = (*_CLIPPING, "PNDMScheduler", "LCMScheduler", "TCDScheduler")
"""Schedulers whose default spacing is "leading"."""

_VARIANCE_PRESERVING = (
    *_LEADING,
    "DEISMultistepScheduler",
    "DPMSolverMultistepInverseScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSDEScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LMSDiscreteScheduler",
    "SASolverScheduler",
    "UniPCMultistepScheduler",
)
"""Schedulers of a variance-preserving process with a table of betas."""

_OTHER_PROCESSES = {
    "flow matching": (
        "FlowMapEulerDiscreteScheduler",
        "FlowMatchEulerDiscreteScheduler",
        "FlowMatchHeunDiscreteScheduler",
        "FlowMatchLCMScheduler",
        "HeliosDMDScheduler",
        "HeliosScheduler",
        "LTXEulerAncestralRFScheduler",
        "MiniMaxH3Scheduler",
        "PiflowScheduler",
        "RFD4ProteinaScheduler",
        "SCMScheduler",
    ),
    "EDM": (
        "CosineDPMSolverMultistepScheduler",
        "EDMDPMSolverMultistepScheduler",
        "EDMEulerScheduler",
    ),
    "a variance-exploding process": ("KarrasVeScheduler", "ScoreSdeVeScheduler"),
    "a continuous variance-preserving process": (
        "DDPMWuerstchenScheduler",
        "IPNDMScheduler",
        "ScoreSdeVpScheduler",
        "UnCLIPScheduler",
    ),
    "a shifted signal-to-noise ratio": ("CogVideoXDDIMScheduler", "CogVideoXDPMScheduler"),
    "a consistency model": ("CMStochasticIterativeScheduler", "ConsistencyDecoderScheduler"),
    "discrete tokens": (
        "AmusedScheduler",
        "BlockRefinementScheduler",
        "DiscreteDDIMScheduler",
        "EntropyBoundScheduler",
        "VQDiffusionScheduler",
    ),
}
"""What diffusers has further schedulers for -> their classes."""

_PROCESS_OF = {name: process for process, names in _OTHER_PROCESSES.items() for name in names}

_FIXED: Mapping[str, tuple[Any, ...]] = {
    "trained_betas": (None,),
    "use_flow_sigmas": (None, False),
    "timestep_type": (None, "discrete"),
    "predict_epsilon": (None, True),
    "snr_shift_scale": (None,),
}
"""Options of schedulers that change what the model predicts -> their supported values."""

_OTHER_SIGMAS = (
    "use_karras_sigmas",
    "use_exponential_sigmas",
    "use_beta_sigmas",
    "use_lu_lambdas",
)
"""Options of schedulers that choose other sigmas than those of the training steps."""


def process_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the noise process.

    Raises:
        InvalidConfigError: the scheduler is of another process, or has an option that changes the
            meaning of the model and is not supported.
    """
    name = check_class(config)
    for key, supported in _FIXED.items():
        value = config.get(key)
        if value not in supported:
            raise InvalidConfigError(f"'{name}' has {key}: {value!s:.80}, which is not supported")
    return {
        "kind": "vp",
        "prediction": _look_up(name, config, "prediction_type", "epsilon", _PREDICTIONS),
        "steps": config.get("num_train_timesteps", 1000),
        "beta_start": config.get("beta_start", 1e-4),
        "beta_end": config.get("beta_end", 0.02),
        "beta_schedule": _look_up(name, config, "beta_schedule", "linear", _BETAS),
        "zero_terminal_snr": bool(config.get("rescale_betas_zero_snr", False)),
        "clip_x0": _clipping_bound(name, config),
    }


def check_class(config: Mapping[str, Any]) -> str:
    """Return the class of a scheduler after checking that its process is variance-preserving.

    Raises:
        InvalidConfigError: the process is another one, or the class is unknown.
    """
    name = str(config.get("_class_name"))
    if name in _PROCESS_OF:
        raise InvalidConfigError(
            f"the scheduler '{name}' is for {_PROCESS_OF[name]}; only models of a variance-"
            "preserving process with a table of betas (DDPM, DDIM, Euler ...) can be imported"
        )
    if name not in _VARIANCE_PRESERVING:
        hint = suggestion(name, _VARIANCE_PRESERVING)
        raise InvalidConfigError(f"unknown scheduler '{name}'. {hint}")
    return name


def scheduler_notes(config: Mapping[str, Any]) -> list[str]:
    """Return human-readable notes on options that are followed in another way, or not at all."""
    notes = [
        f"the scheduler's {key} is not followed: sigmas are those of its training steps"
        for key in _OTHER_SIGMAS
        if config.get(key)
    ]
    name = check_class(config)
    bound = _clipping_bound(name, config)
    if bound is not None:
        direction = ", as with use_clipped_model_output=True" if name.startswith("DDIM") else ""
        notes.append(
            f"estimates of x0 are clipped to [-{bound:g}, {bound:g}], like those of the {name} "
            f"(clip_sample or thresholding){direction}"
        )
    return notes


def schedule_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schedule 'model' with the options that choose the same training steps.

    Raises:
        InvalidConfigError: the spacing is not supported.
    """
    name = str(config.get("_class_name"))
    spacing = config.get("timestep_spacing", "leading" if name in _LEADING else "linspace")
    if spacing not in _SPACINGS:
        hint = suggestion(str(spacing), _SPACINGS)
        raise InvalidConfigError(f"'{name}' has timestep_spacing '{spacing}'. {hint}")
    offset = config.get("steps_offset", 0) if spacing == "leading" else 0
    ends_at_first = offset > 0 and not config.get("set_alpha_to_one", True)
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


def _clipping_bound(name: str, config: Mapping[str, Any]) -> float | None:
    """Return the magnitude to which x0 is clipped, or None.

    Raises:
        InvalidConfigError: x0 is thresholded by its own range, not by a fixed one.
    """
    if config.get("thresholding", False):
        # the threshold is at least 1 and at most sample_max_value
        largest = config.get("sample_max_value", 1.0)
        if largest != 1:
            raise InvalidConfigError(
                f"'{name}' has thresholding with sample_max_value: {largest}, which is not "
                "supported; the guidance option 'threshold' is like it"
            )
        return 1.0
    if config.get("clip_sample", name in _CLIPPING):
        return float(config.get("clip_sample_range", 1.0))
    return None


def _look_up(
    name: str, config: Mapping[str, Any], key: str, default: str, known: Mapping[str, str]
) -> str:
    value = config.get(key, default)
    if value not in known:
        hint = suggestion(str(value), known)
        raise InvalidConfigError(f"'{name}' has {key} '{value}', which is not supported. {hint}")
    return known[value]
