"""The noise process of a CompVis YAML, checked against the table in the checkpoint."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError, ModelFileError, suggestion
from latelier.diffusion.processes.betas import betas

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
        params: of the model, with the defaults of the original where they are silent.
        stored: the checkpoint's own table of betas (steps,), if it has one.

    Raises:
        InvalidConfigError: a schedule or a parameterization that is not known.
        ModelFileError: the table is of another schedule.
    """
    schedule = params.get("beta_schedule", "linear")
    parameterization = params.get("parameterization", "eps")
    for what, name, known in (
        ("beta_schedule", schedule, _SCHEDULES),
        ("parameterization", parameterization, _PREDICTIONS),
    ):
        if name not in known:
            raise InvalidConfigError(
                f"{what} '{name}' is not known. {suggestion(str(name), known)}"
            )
    offset = params.get("cosine_s", _COSINE_OFFSET)
    if schedule == "cosine" and offset != _COSINE_OFFSET:
        raise InvalidConfigError(f"cosine_s: {offset} is not known; only {_COSINE_OFFSET} is")
    found = {
        "kind": "vp",
        "prediction": _PREDICTIONS[parameterization],
        "steps": int(params.get("timesteps", 1000)),
        "beta_start": float(params.get("linear_start", 1e-4)),
        "beta_end": float(params.get("linear_end", 2e-2)),
        "beta_schedule": _SCHEDULES[schedule],
    }
    if stored is not None:
        _check(found, stored)
    return found


def _check(found: Mapping[str, Any], stored: Tensor) -> None:
    ends = found["beta_start"], found["beta_end"]
    wanted = torch.from_numpy(betas(found["beta_schedule"], *ends, found["steps"]))
    table = stored.double().flatten()
    if table.shape != wanted.shape or not torch.allclose(table, wanted, rtol=1e-3, atol=0):
        raise ModelFileError(
            f"the noise schedule of the weights has {len(table)} steps from {float(table[0]):.6g} "
            f"to {float(table[-1]):.6g}; the YAML says {len(wanted)} from {float(wanted[0]):.6g} "
            f"to {float(wanted[-1]):.6g}"
        )
