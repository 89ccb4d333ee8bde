"""Picking the tensors of one part out of a whole checkpoint: pure functions of dictionaries."""

from collections.abc import Mapping

from torch import Tensor

from latelier.checkpoints.importers.fit import listed
from latelier.contracts.errors import ModelFileError

UNET = "model.diffusion_model."
FIRST_STAGE = "first_stage_model."
COND_STAGE = "cond_stage_model."
EMA = "model_ema."

BUFFERS = frozenset(
    {
        "betas",
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "sqrt_alphas_cumprod",
        "sqrt_one_minus_alphas_cumprod",
        "log_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod",
        "sqrt_recipm1_alphas_cumprod",
        "posterior_variance",
        "posterior_log_variance_clipped",
        "posterior_mean_coef1",
        "posterior_mean_coef2",
        "scale_factor",
        "logvar",
        "lvlb_weights",
        "cond_ids",
        "ddim_sigmas",
        "ddim_alphas",
        "ddim_alphas_prev",
        "ddim_sqrt_one_minus_alphas",
        "model_ema.decay",
        "model_ema.num_updates",
    }
)
"""What a checkpoint holds beside the weights: tables of the schedule, and counters."""


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def averaged(
    prefix: str,
    inner: str,
    tensors: Mapping[str, Tensor],
    among: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return the tensors under `prefix`, those that are averaged replaced by their average.

    An average is stored as "model_ema." and the name of the parameter inside the averaged module
    (`inner` and what follows the prefix) without its dots, which cannot be undone: it is built
    forward from the raw names. Whole numbers are buffers, which are not averaged.

    Args:
        prefix: of the raw names.
        inner: what stands for the prefix inside the averaged module.
        tensors: with the averages.
        among: the raw tensors, where they are not all that have the prefix.

    Raises:
        ModelFileError: a parameter has no average, or an average belongs to no parameter.
    """
    raw = under(prefix, tensors) if among is None else among
    flat = {
        name: EMA + f"{inner}{name}".replace(".", "")
        for name, tensor in raw.items()
        if tensor.is_floating_point()
    }
    averages = {name for name in tensors if name.startswith(EMA)} - BUFFERS
    stray = sorted(averages - set(flat.values()))
    bare = sorted(name for name, key in flat.items() if key not in tensors)
    faults = [listed("averages of no parameter", stray), listed("parameters without one", bare)]
    if any(faults):
        said = "; ".join(fault for fault in faults if fault)
        raise ModelFileError(f"the averages under '{EMA}' do not belong to the weights: {said}")
    return {name: tensors[flat[name]] if name in flat else raw[name] for name in raw}
