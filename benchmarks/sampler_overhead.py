"""What does a sampler cost outside the model? Microseconds a step, against diffusers' schedulers.

The model is free (it returns a tensor that is there already), and so is noise. All variants
run in turn, many times over, in one thread, and the clock counts that thread's processor time only,
so that other work on the machine falls on all of them alike. diffusers' `step` also turns the
model's output into x0. Here that is the work of `Predictor` (with t and the scale of the model's
input), hence a row with it and one without. In a pipeline the steps of every sampler are checked
too: the row "checked" has that and no `Predictor`.

python benchmarks/sampler_overhead.py --repeats 100
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sampling import Denoise, Sampler, run_sampler
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.vp import VP
from latelier.pipeline.checks.sampler import check_sampler
from latelier_samplers.ddim import ddim
from latelier_samplers.ddim_inversion import ddim_inversion
from latelier_samplers.deis import deis
from latelier_samplers.dpm2 import dpm2
from latelier_samplers.dpm2_ancestral import dpm2_ancestral
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.dpmpp_2m_sde import dpmpp_2m_sde
from latelier_samplers.dpmpp_2s_ancestral import dpmpp_2s_ancestral
from latelier_samplers.dpmpp_3m_sde import dpmpp_3m_sde
from latelier_samplers.dpmpp_sde import dpmpp_sde
from latelier_samplers.edm_stochastic import edm_stochastic
from latelier_samplers.heun import heun
from latelier_samplers.ipndm import ipndm
from latelier_samplers.lcm import lcm
from latelier_samplers.lms import lms
from latelier_samplers.plms import plms
from latelier_samplers.restart import restart
from latelier_samplers.sa_solver import sa_solver
from latelier_samplers.schedules.model import model
from latelier_samplers.unipc import unipc

SHAPE = (1, 4, 64, 64)
PROCESS = VP()
NOISE = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2))
SAMPLERS: dict[str, Sampler] = {
    "ddim": ddim,
    "heun": heun,
    "dpmpp_2m": dpmpp_2m,
    "ddim_inversion": ddim_inversion,
    "deis": deis,
    "dpm2": dpm2,
    "ipndm": ipndm,
    "lms": lms,
    "plms": plms,
    "unipc": unipc,
    "dpm2_ancestral": dpm2_ancestral,
    "dpmpp_2m_sde": dpmpp_2m_sde,
    "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
    "dpmpp_3m_sde": dpmpp_3m_sde,
    "dpmpp_sde": dpmpp_sde,
    "edm_stochastic": edm_stochastic,
    "lcm": lcm,
    "restart": restart,
    "sa_solver": sa_solver,
}
SCHEDULERS = {
    "ddim": ("DDIMScheduler", "EulerDiscreteScheduler"),
    "heun": ("HeunDiscreteScheduler",),
    "dpmpp_2m": ("DPMSolverMultistepScheduler",),
    "ddim_inversion": ("DDIMInverseScheduler",),
    "deis": ("DEISMultistepScheduler",),
    "dpm2": ("KDPM2DiscreteScheduler",),
    "ipndm": ("IPNDMScheduler",),
    "lms": ("LMSDiscreteScheduler",),
    "plms": ("PNDMScheduler",),
    "unipc": ("UniPCMultistepScheduler",),
    "dpm2_ancestral": ("KDPM2AncestralDiscreteScheduler",),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler",),
    "dpmpp_3m_sde": ("DPMSolverMultistepScheduler",),
    "dpmpp_sde": ("DPMSolverSDEScheduler",),
    "lcm": ("LCMScheduler",),
    "sa_solver": ("SASolverScheduler",),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "ddim": {"clip_sample": False},
    "ddim_inversion": {"clip_sample": False},
    "plms": {"skip_prk_steps": True},
    "dpmpp_2m_sde": {"algorithm_type": "sde-dpmsolver++"},
    "dpmpp_3m_sde": {"algorithm_type": "sde-dpmsolver++", "solver_order": 3},
    "lcm": {"clip_sample": False, "original_inference_steps": 1000},
}
"""Options of the schedulers that a sampler is compared with."""

Variant = Callable[[], float]
"""Runs all steps once and returns the seconds of processor time that they took."""


class FreeModel:
    """A denoiser that does nothing."""

    config = DenoiserConfig()

    def __init__(self) -> None:
        self.output = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))

    def __call__(self, *_: Any) -> torch.Tensor:
        """Return the same tensor for any input."""
        return self.output


def main() -> None:
    arguments = parse()
    samples: dict[tuple[str, str], list[float]] = {}
    variants = all_variants(
        arguments.steps, {name: SAMPLERS[name] for name in arguments.sampler or SAMPLERS}
    )
    with torch.inference_mode():
        for _ in range(arguments.repeats):
            for name, run in variants.items():
                samples.setdefault(name, []).append(run() / arguments.steps * 1e6)
    rows = [
        {
            "sampler": sampler,
            "variant": variant,
            "median_us": round(statistics.median(times), 1),
            "min_us": round(min(times), 1),
        }
        for (sampler, variant), times in samples.items()
    ]
    if arguments.json:
        print(json.dumps({"shape": SHAPE, "steps": arguments.steps, "rows": rows}, indent=2))
    else:
        show(rows, arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--sampler", action="append", choices=SAMPLERS, help="all if none")
    parser.add_argument("--json", action="store_true", help="print JSON and not a table")
    return parser.parse_args()


def all_variants(steps: int, chosen: dict[str, Sampler]) -> dict[tuple[str, str], Variant]:
    variants: dict[tuple[str, str], Variant] = {}
    for name, sampler in chosen.items():
        free = FreeModel()
        variants[name, "latelier"] = ours(sampler, steps, free)
        if name != "ddim_inversion":  # it goes up the sigmas: `generate` refuses it
            variants[name, "latelier, checked"] = ours(check_sampler(sampler, name), steps, free)
        variants[name, "latelier with Predictor"] = ours(sampler, steps, predicting(free))
        variants[name, "latelier with Predictor, schedule"] = ours(
            sampler, steps, predicting(free), scheduling=True
        )
        for scheduler in SCHEDULERS.get(name, ()):
            if scheduler == "LMSDiscreteScheduler" and find_spec("scipy") is None:
                continue  # it integrates with scipy
            options = OPTIONS.get(name, {}) if scheduler != "EulerDiscreteScheduler" else {}
            variants[name, f"diffusers {scheduler}"] = theirs(scheduler, steps, options)
            variants[name, f"diffusers {scheduler}, set_timesteps"] = theirs(
                scheduler, steps, options, scheduling=True
            )
    return variants


def predicting(free: FreeModel) -> Denoise:
    predictor, conditions = Predictor(free, PROCESS), [Condition()]
    return lambda x, sigma: predictor(x, sigma, conditions)[0]


def ours(sampler: Sampler, steps: int, denoise: Denoise, scheduling: bool = False) -> Variant:
    x, made = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)), model(steps, PROCESS)

    def run() -> float:
        began = time.thread_time()
        grid = model(steps, PROCESS) if scheduling else made
        for _ in run_sampler(sampler, denoise, x, grid, lambda *_: NOISE):
            pass
        return time.thread_time() - began

    return run


def theirs(name: str, steps: int, options: dict[str, Any], scheduling: bool = False) -> Variant:
    betas = {
        "beta_start": PROCESS.beta_start,
        "beta_end": PROCESS.beta_end,
        "beta_schedule": "scaled_linear",
        **({} if name == "LCMScheduler" else {"timestep_spacing": "trailing"}),
    }
    scheduler = scheduler_class(name)(**({} if name == "IPNDMScheduler" else betas), **options)
    first, output = (
        torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)),
        FreeModel().output,
    )

    def run() -> float:
        scheduler.set_timesteps(steps)
        began = time.thread_time()
        if scheduling:
            scheduler.set_timesteps(steps)
        if name == "DPMSolverSDEScheduler":
            scheduler.noise_sampler = lambda *_: NOISE
        x = first
        for t in scheduler.timesteps:
            scheduler.scale_model_input(x, t)
            x = scheduler.step(output, t, x, return_dict=False)[0]
        return time.thread_time() - began

    return run


def scheduler_class(name: str) -> Any:
    """Return one of diffusers', whose noise is now free; torchsde need not be there."""
    import diffusers

    sys.modules.setdefault("torchsde", ModuleType("torchsde"))
    module = getattr(diffusers, name).__module__
    if name == "DPMSolverSDEScheduler":
        module = "diffusers.schedulers.scheduling_dpmsolver_sde"
    loaded = import_module(module)
    if hasattr(loaded, "randn_tensor"):
        vars(loaded)["randn_tensor"] = lambda *_, **__: NOISE
    return getattr(loaded, name)


def show(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    shape = "x".join(map(str, SHAPE))
    table = Table(title=f"us a step, {shape}, {arguments.steps} steps, {arguments.repeats} runs")
    for column in ("sampler", "variant"):
        table.add_column(column)
    for column in ("median", "min"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row["sampler"], row["variant"], f"{row['median_us']:.1f}", f"{row['min_us']:.1f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
