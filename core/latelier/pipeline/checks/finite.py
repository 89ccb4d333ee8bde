"""NaN and infinity end a run with an error: they would be saved as a black picture."""

import math
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.errors import NotFiniteError
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.plan import Plan


def check_finite(parts: PipelineParts, plan: Plan, place: str, values: Tensor) -> None:
    """Refuse values that are not finite.

    Args:
        parts: the pipeline's.
        plan: of the run.
        place: where in the run the values are, for the error.
        values: of any shape.

    Raises:
        NotFiniteError: names the place and the likely cause.
    """
    if not is_finite(values):
        cause = _likely_cause(parts, plan)
        raise NotFiniteError(f"{place}: the result is NaN or infinite. {cause}")


def is_finite(values: Tensor) -> bool:
    """Return whether all values are finite.

    A finite sum, which is much faster to compute, has finite terms only. It may also overflow.
    """
    return math.isfinite(values.sum().item()) or bool(torch.isfinite(values).all())


def _likely_cause(parts: PipelineParts, plan: Plan) -> str:
    for place, component in parts.components().items():
        for name, weights in component.module.state_dict().items():
            if weights.is_floating_point() and not torch.isfinite(weights).all():
                return (
                    f"The weights of '{place}' hold such values themselves ('{name}'): the file is "
                    "damaged; download or import it again"
                )
    for name, value in plan.request.guidance.options.items():
        if _is_excessive(value):
            return f"The guidance option {name}={value} is the likely cause: lower it"
    if parts.dtype == torch.float16:
        return "float16 ends at 65504, which this model exceeds: use dtype bfloat16 or float32"
    return (
        "Likely causes are a guidance scale too high for the model, options of the sampler "
        f"'{plan.request.sampler.name}', or a noise process other than that of its training"
    )


def _is_excessive(value: Any) -> bool:
    return isinstance(value, float | int) and not (math.isfinite(value) and abs(value) <= 100)
