"""The scheduler classes of diffusers: their process, their defaults, and our samplers like them."""

from collections.abc import Mapping
from typing import Any

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggestion

_DDIM = ("DDIMInverseScheduler", "DDIMParallelScheduler", "DDIMScheduler")
_DDPM = ("DDPMParallelScheduler", "DDPMScheduler")
_DISTILLED = ("LCMScheduler", "TCDScheduler")

SAMPLERS: Mapping[str, str | None] = {
    "DDIMInverseScheduler": "ddim_inversion",
    "DDIMParallelScheduler": "ddim",
    "DDIMScheduler": "ddim",
    "DDPMParallelScheduler": "ddpm",
    "DDPMScheduler": "ddpm",
    "DEISMultistepScheduler": "deis",
    "DPMSolverMultistepInverseScheduler": "ddim_inversion",
    "DPMSolverMultistepScheduler": "dpmpp_2m",
    "DPMSolverSDEScheduler": "dpmpp_sde",
    "DPMSolverSinglestepScheduler": None,
    "EulerAncestralDiscreteScheduler": "euler_ancestral",
    "EulerDiscreteScheduler": "euler",
    "HeunDiscreteScheduler": "heun",
    "KDPM2AncestralDiscreteScheduler": "dpm2_ancestral",
    "KDPM2DiscreteScheduler": "dpm2",
    "LCMScheduler": "lcm",
    "LMSDiscreteScheduler": "lms",
    "PNDMScheduler": "plms",
    "RePaintScheduler": "ddpm",
    "SASolverScheduler": "sa_solver",
    "TCDScheduler": None,
    "UniPCMultistepScheduler": "unipc",
}
"""Schedulers of a variance-preserving process with a table of betas -> the nearest sampler."""

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
    "audio": ("CosineDPMSolverMultistepScheduler",),
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

_CLIPPED = {"timestep_spacing": "leading", "clip_sample": True}
_SD_BETAS = {"beta_start": 0.00085, "beta_end": 0.012}
_PAPER_BETAS = {**_SD_BETAS, "beta_schedule": "scaled_linear"}

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys((*_DDIM, *_DDPM, "RePaintScheduler"), _CLIPPED),
    "PNDMScheduler": {"timestep_spacing": "leading", "set_alpha_to_one": False},
    **dict.fromkeys(_DISTILLED, _PAPER_BETAS),
    "DPMSolverSDEScheduler": _SD_BETAS,
    "HeunDiscreteScheduler": _SD_BETAS,
    "KDPM2AncestralDiscreteScheduler": _SD_BETAS,
    "KDPM2DiscreteScheduler": _SD_BETAS,
}
"""Class -> its defaults that differ from those of most classes."""

_THRESHOLDING = (
    "DDIMParallelScheduler",
    "DDIMScheduler",
    *_DDPM,
    *_DISTILLED,
    "DEISMultistepScheduler",
    "DPMSolverMultistepInverseScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "SASolverScheduler",
    "UniPCMultistepScheduler",
)
_ONLY_IN: Mapping[str, tuple[str, ...]] = {
    "clip_sample": (*_DDIM, *_DDPM, *_DISTILLED, "RePaintScheduler", "HeunDiscreteScheduler"),
    "set_alpha_to_one": (*_DDIM, *_DISTILLED, "PNDMScheduler"),
    "thresholding": _THRESHOLDING,
    "rescale_betas_zero_snr": (
        *_DDIM,
        *_DDPM,
        *_DISTILLED,
        "DPMSolverMultistepScheduler",
        "EulerAncestralDiscreteScheduler",
        "EulerDiscreteScheduler",
        "UniPCMultistepScheduler",
    ),
}
"""Option -> the classes that have it. diffusers ignores it in the configuration of any other."""


def check_class(config: Mapping[str, Any]) -> str:
    """Return the class of a scheduler after checking that its process is variance-preserving.

    Raises:
        InvalidConfigError: the process is another one, or the class is unknown.
    """
    name = str(config.get("_class_name"))
    if name in _PROCESS_OF:
        raise InvalidConfigError(
            f"the scheduler '{name}' is for {_PROCESS_OF[name]}; only models of a variance-"
            "preserving process with a table of betas (DDPM, DDIM, Euler ...) and of EDM can be "
            "imported"
        )
    if name not in SAMPLERS:
        raise InvalidConfigError(f"unknown scheduler '{name:.80}'. {suggestion(name, SAMPLERS)}")
    return name


def is_distilled(name: str) -> bool:
    """Return whether a scheduler is for models that draw in a few steps, without guidance."""
    return name in _DISTILLED


def class_defaults(name: str) -> Mapping[str, Any]:
    """Return the defaults of a class that differ from those of most classes."""
    return _DEFAULTS.get(name, {})


def is_ignored(name: str, option: str) -> bool:
    """Return whether diffusers ignores an option, since the class does not have it."""
    return name not in _ONLY_IN.get(option, (name,))
