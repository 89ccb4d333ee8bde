"""A guidance scale for each conditioner."""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.messages import shorten, suggestion
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.options import (
    Interval,
    Rescale,
    Threshold,
    apply_options,
    denoise_under,
)
from latelier.diffusion.guidance.unconditional import drop_conditions, find_droppable_conditions


def per_condition(
    predict: Predict,
    condition: Condition,
    null: Condition,
    sigmas: SigmaGrid,
    /,
    *,
    scales: Annotated[
        dict[str, Annotated[float, Field(ge=0, le=1e4)]],
        Field(min_length=1, description='conditioner -> scale: {"text": 5, "layout": 2}'),
    ],
    form: Annotated[
        Literal["joint", "nested"],
        Field(
            description="what a conditioner's scale multiplies: its influence given all others "
            "(joint), or given those named before it (nested)"
        ),
    ] = "joint",
    interval: Interval = None,
    rescale: Rescale = 0.0,
    threshold: Threshold = None,
) -> Denoise:
    """Return the estimate with every named conditioner's influence on it scaled.

    joint: x0 + the sum over k of (s_k - 1) * (x0 - x0 without k), which multiplies the posterior by
    p(k | x, all others) to the power of s_k - 1. nested: x0 without any + the sum over k of
    s_k * (x0 with the first k - x0 with the first k - 1), as of image and text in Brooks et al.
    (arXiv:2211.09800, equation 3). With one conditioner both are classifier-free guidance, and with
    all scales 1 the condition alone. Conditioners that are not named are part of every estimate.

    All estimates come from one call of the denoiser; those of weight 0 are left out.

    Raises:
        InvalidInputError: a name is not a conditioner of the model with a null condition.
    """
    _check_names(scales, find_droppable_conditions(condition, null))
    weights = dict(_joint(scales) if form == "joint" else _nested(scales))
    # The whole condition is estimated in any case: `apply_options` compares with it.
    whole = weights.pop((), 0.0)
    conditional = denoise_under(predict, condition)
    others = {dropped: weight for dropped, weight in weights.items() if weight != 0}
    if not others:
        return conditional
    conditions = [condition, *(drop_conditions(condition, null, dropped) for dropped in others)]

    def estimate(x: Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor]:
        x0, *rest = predict(x, sigma, conditions)
        guided = x0 * whole
        for each, weight in zip(rest, others.values(), strict=True):
            guided = guided.add(each, alpha=weight)
        return x0, guided

    return apply_options(
        conditional, estimate, sigmas, interval=interval, rescale=rescale, threshold=threshold
    )


Weighed = Iterator[tuple[tuple[str, ...], float]]
"""The conditioners that an estimate does without, and its weight."""


def _joint(scales: Mapping[str, float]) -> Weighed:
    yield (), 1 + sum(scale - 1 for scale in scales.values())
    for name, scale in scales.items():
        yield (name,), 1 - scale


def _nested(scales: Mapping[str, float]) -> Weighed:
    names = tuple(scales)
    for first, (before, after) in enumerate(pairwise([1.0, *scales.values()])):
        yield names[first:], before - after
    yield (), scales[names[-1]]


def _check_names(scales: Mapping[str, float], known: Collection[str]) -> None:
    for name in scales:
        if name not in known:
            raise InvalidInputError(
                f"guidance 'per_condition': there is no conditioner '{shorten(name)}' with a null "
                f"condition. {suggestion(name, known)}"
            )
