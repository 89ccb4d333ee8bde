"""The noise process in a YAML of CompVis, checked against the table in the checkpoint."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.frozen import validate
from latelier.contracts.messages import suggestion
from latelier.diffusion.processes.betas import betas
from latelier.diffusion.processes.vp import VP

_SCHEDULES = {
    "linear": "scaled_linear",
    "sqrt_linear": "linear",
    "cosine": "cosine",
    "sqrt": "sqrt",
}
"""Their name -> ours. Their "linear" is linear in sqrt(beta)."""

_COSINE_OFFSET = 0.008

_PREDICTIONS = {"eps": "eps", "x0": "x0", "v": "v"}


def process_of(params: Mapping[str, Any], stored: Tensor | None) -> dict[str, Any]:
    """Return the fields of the process.

    Args:
        params: of the model; missing ones have the defaults of the original code.
        stored: the checkpoint's own table of betas (steps,), if it has one.

    Raises:
        InvalidConfigError: the schedule or the parameterization is not supported.
        ModelFileError: the table is of another schedule.
    """
    schedule = params.get("beta_schedule", "linear")
    parameterization = params.get("parameterization", "eps")
    for what, name, known in (
        ("beta_schedule", schedule, _SCHEDULES),
        ("parameterization", parameterization, _PREDICTIONS),
    ):
        if not isinstance(name, str) or name not in known:
            raise InvalidConfigError(
                f"{what} '{name!s:.80}' is not supported. {suggestion(str(name), known)}"
            )
    offset = params.get("cosine_s", _COSINE_OFFSET)
    if schedule == "cosine" and offset != _COSINE_OFFSET:
        raise InvalidConfigError(f"cosine_s: {offset} is not supported; {_COSINE_OFFSET} is")
    found = {
        "kind": "vp",
        "prediction": _PREDICTIONS[parameterization],
        "steps": params.get("timesteps", 1000),
        "beta_start": params.get("linear_start", 1e-4),
        "beta_end": params.get("linear_end", 2e-2),
        "beta_schedule": _SCHEDULES[schedule],
    }
    process = validate(VP, found, "timesteps, linear_start and linear_end of the YAML")
    found |= process.model_dump(include={"steps", "beta_start", "beta_end"})
    if stored is not None:
        _check(found, stored)
    return found


_TOLERANCE = {torch.bfloat16: 2.0**-7, torch.float16: 2.0**-9}
"""Relative error of a table that was rounded to a precision, with a margin of two.

Half precision has subnormal numbers below 6e-5, whose absolute error is at most 2^-24.
"""


def _check(found: Mapping[str, Any], stored: Tensor) -> None:
    ends = found["beta_start"], found["beta_end"]
    expected = torch.from_numpy(betas(found["beta_schedule"], *ends, found["steps"]))
    table = stored.double().flatten()
    relative = _TOLERANCE.get(stored.dtype, 1e-3)
    absolute = 2.0**-24 if stored.dtype == torch.float16 else 0.0
    if table.shape != expected.shape or not torch.allclose(
        table, expected, rtol=relative, atol=absolute
    ):
        raise ModelFileError(
            f"the noise schedule of the weights has {len(table)} steps, {_ends(table)}; the YAML "
            f"has {len(expected)}, {_ends(expected)}"
        )


def _ends(table: Tensor) -> str:
    return f"from {float(table[0]):.6g} to {float(table[-1]):.6g}" if len(table) else "empty"
