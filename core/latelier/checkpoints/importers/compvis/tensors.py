"""Selecting the tensors of one part of a checkpoint. Pure functions of dictionaries."""

from collections.abc import Iterable, Mapping

from torch import Tensor

from latelier.checkpoints.io.shapes import list_names
from latelier.contracts.errors import ModelFileError

UNET = "model.diffusion_model."
FIRST_STAGE = "first_stage_model."
COND_STAGE = "cond_stage_model."
EMA = "model_ema."
CONTROL = "control_model."

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
"""Tensors of a checkpoint that are not weights: tables of the schedule, and counters."""


def has_controlnet(names: Iterable[str]) -> bool:
    """Return whether a file is of a ControlNet: the first published ones hold their model too."""
    return any(name.startswith(CONTROL) for name in names)


def strip_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under `prefix`, by their names without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def replace_with_ema(
    prefix: str,
    inner: str,
    tensors: Mapping[str, Tensor],
    among: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return the tensors under `prefix`, with parameters replaced by their moving averages.

    An average is stored as "model_ema." and the name of the parameter in the averaged module, the
    dots left out. That cannot be undone, so the names of averages are built from the plain names.
    Integers are buffers, which have no average.

    Args:
        prefix: of the plain names.
        inner: replaces the prefix in the averaged module.
        tensors: plain ones and averages.
        among: the plain tensors; None: all under the prefix.

    Raises:
        ModelFileError: a parameter has no average, or an average belongs to no parameter.
    """
    plain = strip_prefix(prefix, tensors) if among is None else among
    flat = {
        name: EMA + f"{inner}{name}".replace(".", "")
        for name, tensor in plain.items()
        if tensor.is_floating_point()
    }
    averages = {name for name in tensors if name.startswith(EMA)} - BUFFERS
    faults = list_names("averages of no parameter", averages - set(flat.values()))
    faults += list_names(
        "parameters without one", [name for name, key in flat.items() if key not in tensors]
    )
    if faults:
        raise ModelFileError(
            f"the averages under '{EMA}' do not belong to the weights: {'; '.join(faults)}"
        )
    return {name: tensors[flat[name]] if name in flat else plain[name] for name in plain}
