"""Samplers of plugins keep to their contract, or the error names them."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from latelier.contracts.errors import PluginError
from latelier.contracts.sampling import Denoise, Noise, Sampler, Step, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.kernel.trust.guard import guard_plugin
from latelier.pipeline.checks.finite import is_finite


def check_sampler(sampler: Callable[..., Any], name: str) -> Sampler:
    """Return `sampler` with a check of each of its steps.

    It raises a `PluginError` for a step that breaks the contract of samplers, for too few steps,
    and for an attempt to end the process, such as `SystemExit`.
    """

    def checked(
        denoise: Denoise, x: Tensor, sigmas: SigmaGrid, /, *, noise: Noise, **options: Any
    ) -> Iterator[Step]:
        with guard_plugin(f"the sampler '{name}'"):
            steps = run_sampler(sampler, denoise, x, sigmas, noise, **options)
        if not isinstance(steps, Iterator):
            raise PluginError(
                f"the sampler '{name}' returns {type(steps).__name__}, not an iterator of steps"
            )
        for index in range(1, sigmas.steps + 1):
            with guard_plugin(f"the sampler '{name}'"):
                step = next(steps, None)
            if step is None:
                raise PluginError(f"the sampler '{name}' stopped before step {sigmas.steps}")
            if fault := _find_fault(step, x, sigmas, index):
                raise PluginError(f"the sampler '{name}', step {index}: {fault}")
            yield step

    return checked


def _find_fault(step: Any, x: Tensor, sigmas: SigmaGrid, index: int) -> str | None:
    """Return how a step breaks the contract; None if it keeps it."""
    if not isinstance(step, Step):
        return f"expected a Step, found {type(step).__name__}"
    for name, values in (("x", step.x), ("denoised", step.denoised)):
        if fault := _find_tensor_fault(values, x):
            return f"{name}: {fault}"
    # x is checked by `check_finite` in any case, and here only to tell which of the two is at fault
    if not is_finite(step.denoised) and is_finite(step.x):
        return "denoised: expected finite values, found NaN or infinity, and x is finite"
    return _find_sigma_fault(step.sigma, sigmas, index)


def _find_tensor_fault(values: Any, x: Tensor) -> str | None:
    if not isinstance(values, Tensor):
        return f"expected a tensor, found {type(values).__name__}"
    if values.shape != x.shape:
        return f"expected the shape {tuple(x.shape)}, found {tuple(values.shape)}"
    if not values.is_floating_point():
        return f"expected a floating-point dtype, found {values.dtype}"
    if values.device != x.device:
        return f"expected the device {x.device}, found {values.device}"
    return None


def _find_sigma_fault(sigma: Any, sigmas: SigmaGrid, index: int) -> str | None:
    try:
        found = float(sigma)
    except (TypeError, ValueError, RuntimeError):
        return f"sigma: expected a number, found {type(sigma).__name__}"
    if not math.isclose(found, sigmas[index], rel_tol=1e-5, abs_tol=1e-8):
        return f"sigma: expected {sigmas[index]:g}, found {found:g}"
    return None
