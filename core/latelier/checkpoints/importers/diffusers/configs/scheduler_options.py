"""The options of a scheduler: those that are read, with their ranges, and notes on the others."""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from latelier.checkpoints.importers.diffusers.configs.scheduler_classes import (
    SAMPLERS,
    check_class,
    class_defaults,
    is_distilled,
    is_ignored,
)
from latelier.checkpoints.importers.parameters import unknown_params
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.diffusion.processes.process import MAX_TRAINING_STEPS

_FIXED: Mapping[str, tuple[Any, ...]] = {
    "trained_betas": (None,),
    "use_flow_sigmas": (None, False),
    "invert_sigmas": (None, False),
    "use_dynamic_shifting": (None, False),
    "shift_terminal": (None,),
    "timestep_type": (None, "discrete"),
    "predict_epsilon": (None, True),
    "snr_shift_scale": (None,),
}
"""Options that change what the model predicts, or at which noise -> their supported values."""

_NOT_FOLLOWED: Mapping[str, tuple[Any, ...]] = {
    "use_karras_sigmas": (None, False),
    "use_exponential_sigmas": (None, False),
    "use_beta_sigmas": (None, False),
    "use_lu_lambdas": (None, False),
    "sigma_min": (None,),
    "sigma_max": (None,),
    "final_sigmas_type": (None, "zero"),
    "interpolation_type": (None, "linear"),
    "lambda_min_clipped": (None, -math.inf),
    "rho": (None,),
}
"""Options that choose other sigmas than those of the training steps -> values without effect."""

_OTHER_SIGMAS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas")

_LEARNED = ("learned", "learned_range")

_OF_SAMPLER = (
    "algorithm_type",
    "corrector_order",
    "disable_corrector",
    "dynamic_thresholding_ratio",
    "eta",
    "euler_at_final",
    "flow_shift",
    "lower_order_final",
    "noise_sampler_seed",
    "original_inference_steps",
    "predict_x0",
    "predictor_order",
    "skip_prk_steps",
    "solver_order",
    "solver_p",
    "solver_type",
    "tau_func",
    "time_shift_type",
    "timestep_scaling",
)
"""Options of the scheduler's own steps, in whose place a sampler draws, or without effect where the
fixed options have their supported values."""


class SchedulerOptions(BaseModel):
    """The options that are read. Names are those of diffusers; defaults, those of most classes."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    num_train_timesteps: int = Field(1000, ge=2, le=MAX_TRAINING_STEPS)
    beta_start: float = Field(1e-4, gt=0, lt=1)
    beta_end: float = Field(0.02, gt=0, lt=1)
    beta_schedule: Any = "linear"
    prediction_type: Any = "epsilon"
    rescale_betas_zero_snr: bool | None = False
    clip_sample: bool | None = False
    clip_sample_range: float = Field(1.0, gt=0)
    thresholding: bool | None = False
    sample_max_value: float = Field(1.0, gt=0)
    timestep_spacing: Any = "linspace"
    steps_offset: int = Field(0, ge=0)
    set_alpha_to_one: bool | None = True
    final_sigmas_type: Literal["zero", "sigma_min"] | None = "zero"
    interpolation_type: Literal["linear", "log_linear"] | None = "linear"
    sigma_min: float | None = Field(None, ge=0)
    sigma_max: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.beta_start > self.beta_end:
            raise ValueError(f"beta_start={self.beta_start} is above beta_end={self.beta_end}")
        if self.steps_offset >= self.num_train_timesteps:
            raise ValueError(
                f"steps_offset={self.steps_offset} is not below "
                f"num_train_timesteps={self.num_train_timesteps}"
            )
        return self


def read_options(config: Mapping[str, Any]) -> tuple[str, SchedulerOptions]:
    """Return the class of a scheduler and its options, as diffusers reads them.

    Raises:
        InvalidConfigError: the class is of another process; a value is impossible; or an option
            changes the meaning of the model and is not supported.
    """
    name = check_class(config)
    for key, supported in _FIXED.items():
        value = config.get(key)
        if not any(value is each or value == each for each in supported):
            raise InvalidConfigError(f"'{name}' has {key}: {value!s:.80}, which is not supported")
    _check_other_sigmas(name, config)
    values = {key: value for key, value in config.items() if not is_ignored(name, key)}
    options = validate(SchedulerOptions, {**class_defaults(name), **values}, f"'{name}'")
    return name, options


def option_notes(config: Mapping[str, Any]) -> list[str]:
    """Return human-readable notes on the class and the options that are not followed.

    Raises:
        InvalidConfigError: an unknown option is a misspelt known one; or see `check_class`.
    """
    name = check_class(config)
    notes = [
        f"the scheduler's {key} is not followed: sigmas are those of its training steps"
        for key, neutral in _NOT_FOLLOWED.items()
        if config.get(key) not in neutral
    ]
    notes += [
        f"the scheduler's {key} is ignored: a {name} does not have it"
        for key, value in config.items()
        if is_ignored(name, key) and value not in (None, SchedulerOptions.model_fields[key].default)
    ]
    if config.get("variance_type") in _LEARNED:
        notes.append("the scheduler's learned variance is not used: samplers take eps alone")
    known = (*SchedulerOptions.model_fields, *_FIXED, *_NOT_FOLLOWED, *_OF_SAMPLER, "variance_type")
    own = {key: value for key, value in config.items() if not key.startswith("_")}
    notes += [
        f"the scheduler's option '{key:.80}' is unknown and was ignored"
        for key in unknown_params(name, own, known)
    ]
    return [*_sampler_notes(name), *notes]


def _check_other_sigmas(name: str, config: Mapping[str, Any]) -> None:
    found = [key for key in _OTHER_SIGMAS if config.get(key)]
    if len(found) > 1:
        raise InvalidConfigError(
            f"'{name}' has {' and '.join(found)}; expected at most one of them"
        )


def _sampler_notes(name: str) -> list[str]:
    like = SAMPLERS[name]
    if name == "LCMScheduler":
        return [
            "the scheduler is an LCMScheduler: by default pictures are drawn in 4 steps of the "
            "sampler 'lcm', without guidance"
        ]
    if is_distilled(name):
        return [
            f"the scheduler is a {name}: by default pictures are drawn in 4 steps of the sampler "
            "'ddim', without guidance; that is the scheduler with eta 0"
        ]
    if like == "ddim":
        return []
    nearest = f"; the nearest is --sampler {like}" if like else ""
    return [f"the default sampler is 'ddim', not the {name}{nearest}"]
