"""The configuration of a scheduler of EDM (Karras et al. 2022, arXiv:2206.00364)."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from latelier.contracts.frozen import validate

EDM_SAMPLERS = {"EDMDPMSolverMultistepScheduler": "dpmpp_2m", "EDMEulerScheduler": "euler"}
"""Class -> the nearest sampler."""


class EDMOptions(BaseModel):
    """The options that are read. Names and defaults are those of diffusers."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    sigma_min: float = Field(0.002, gt=0)
    sigma_max: float = Field(80.0, gt=0)
    sigma_data: float = Field(0.5, gt=0)
    sigma_schedule: Literal["karras", "exponential"] = "karras"
    rho: float = Field(7.0, ge=1)
    prediction_type: Literal["epsilon"] = "epsilon"
    thresholding: Literal[False] | None = False


def edm_process(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the noise process.

    Raises:
        InvalidConfigError: a value is impossible, or not supported.
    """
    options = _read_options(config)
    sigmas = options.model_dump(include={"sigma_data", "sigma_min", "sigma_max"})
    return {"kind": "edm", **sigmas}


def edm_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of a run: sampler, steps and schedule.

    Raises:
        InvalidConfigError: see `edm_process`.
    """
    options = _read_options(config)
    is_karras = options.sigma_schedule == "karras"
    schedule = {
        "name": options.sigma_schedule,
        "options": {"rho": options.rho} if is_karras else {},
    }
    return {"sampler": EDM_SAMPLERS[config["_class_name"]], "steps": 50, "schedule": schedule}


def _read_options(config: Mapping[str, Any]) -> EDMOptions:
    return validate(EDMOptions, config, f"'{config['_class_name']}'")
