"""A scheduler's configuration, to and from a noise process and a schedule."""

from collections.abc import Mapping
from typing import Any

from latelier.contracts.errors import CompatibilityError, InvalidConfigError, suggestion

_BETAS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
_PREDICTIONS = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
_SPACINGS = ("leading", "trailing", "linspace")
_LEADING = ("DDIMScheduler", "DDPMScheduler", "PNDMScheduler")
"""Schedulers whose spacing is "leading" where their configuration is silent."""


def process_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the noise process.

    Raises:
        InvalidConfigError: a schedule of betas, or a prediction, that is not known here.
    """
    name = config.get("_class_name", "the scheduler")
    if config.get("trained_betas") is not None:
        raise InvalidConfigError(f"'{name}' has trained_betas of its own, not known here")
    return {
        "kind": "vp",
        "prediction": _known(name, config, "prediction_type", "epsilon", _PREDICTIONS),
        "steps": config.get("num_train_timesteps", 1000),
        "beta_start": config.get("beta_start", 1e-4),
        "beta_end": config.get("beta_end", 0.02),
        "beta_schedule": _known(name, config, "beta_schedule", "linear", _BETAS),
        "zero_terminal_snr": bool(config.get("rescale_betas_zero_snr", False)),
    }


def schedule_from_diffusers(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schedule 'model' with the options that choose the same training steps.

    Raises:
        InvalidConfigError: a spacing that is not known here.
    """
    name = config.get("_class_name", "the scheduler")
    silent = "leading" if name in _LEADING else "linspace"
    spacing = config.get("timestep_spacing", silent)
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
        CompatibilityError: it is no discrete variance-preserving process.
    """
    if process.kind != "vp":
        raise CompatibilityError(
            f"the process '{process.kind}' cannot be exported to diffusers; only 'vp' can"
        )
    betas = {here: there for there, here in _BETAS.items()}
    if process.beta_schedule not in betas:
        raise CompatibilityError(f"diffusers has no beta_schedule '{process.beta_schedule}'")
    predictions = {here: there for there, here in _PREDICTIONS.items()}
    zero = process.zero_terminal_snr
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
        "clip_sample": False,
    }


def _known(
    name: str, config: Mapping[str, Any], key: str, silent: str, known: Mapping[str, str]
) -> str:
    value = config.get(key, silent)
    if value not in known:
        hint = suggestion(str(value), known)
        raise InvalidConfigError(f"'{name}' has {key} '{value}', not known here. {hint}")
    return known[value]
