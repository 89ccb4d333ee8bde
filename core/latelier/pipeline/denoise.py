"""From a plan and its conditions to `denoise(x, sigma) -> x0`."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.components import Control, FirstStage
from latelier.contracts.condition import Condition, concat
from latelier.contracts.sampling import Denoise, Predict
from latelier.diffusion.accelerations.predictor import AcceleratedPredictor
from latelier.diffusion.adapters import AdapterCalls
from latelier.diffusion.predict import Predictor
from latelier.kernel.trust.guard import guard_plugin
from latelier.pipeline.conditioning.conditions import Conditions
from latelier.pipeline.conditioning.rows import Rows, repeat_rows
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.plan import Plan
from latelier.pipeline.planning.references.windows import restrict_to_window
from latelier.pipeline.tiling.multidiffusion import denoise_windows
from latelier.pipeline.tiling.windows import Window


@torch.no_grad()
def make_denoise(parts: PipelineParts, plan: Plan, conditions: Conditions) -> Denoise:
    """Return the guided estimate of x0 for a batch, in one piece or window by window.

    A guidance rule turns a `Predictor`, which an acceleration may change, the condition and the
    negative condition into `denoise`. A picture in one piece has one of each. With windows, each
    chunk of windows has its own: its conditions are those of the windows, one after the other as
    rows. A rule may ask the predictor for the condition of another value of the first public input.
    It is made for the chunk's windows too.

    Args:
        parts: the pipeline's.
        plan: of the batch.
        conditions: of the whole pictures of the batch.
    """
    builder, geometry, count = parts.condition_builder(), plan.geometry, len(plan.batch)
    adapters = parts.adapter_uses(plan.sigmas)
    inputs, negative = plan.repeat_rows(plan.inputs), plan.repeat_rows(plan.negative)

    def condition_for(value: Any) -> tuple[Condition, Rows]:
        rows = builder.with_first(inputs, value)
        rows = {name: repeat_rows(name, values, count) for name, values in rows.items()}
        return builder.condition(rows, count, geometry), rows

    def apply_guidance(
        first_stage: FirstStage | None,
        condition_for: Callable[[Any], Condition],
        condition: Condition,
        negative: Condition,
    ) -> Denoise:
        predict = _accelerate(
            plan,
            Predictor(
                parts.denoiser,
                parts.process,
                parts.dtype,
                first_stage,
                condition_for,
                AdapterCalls(adapters),
            ),
        )
        rule = f"the guidance rule '{plan.request.guidance.name}'"
        with guard_plugin(rule):
            denoise = plan.guidance(predict, condition, negative, plan.sigmas)

        def guarded(x: Tensor, sigma: float | Tensor, /) -> Tensor:
            with guard_plugin(rule):
                return denoise(x, sigma)

        return guarded

    if plan.windowing is None:
        return apply_guidance(
            parts.first_stage,
            lambda value: condition_for(value)[0],
            conditions.condition,
            conditions.negative,
        )

    def for_windows(whole: Condition, rows: Rows, chunk: Sequence[Window]) -> Condition:
        return concat(
            [
                builder.for_window(
                    whole, restrict_to_window(parts, rows, window.box), geometry, window
                )
                for window in chunk
            ]
        )

    def denoise_chunk(chunk: Sequence[Window]) -> Denoise:
        return apply_guidance(
            None,  # no rule sees whole pictures here
            lambda value: for_windows(*condition_for(value), chunk),
            for_windows(conditions.condition, inputs, chunk),
            for_windows(conditions.negative, negative, chunk),
        )

    windowing = plan.windowing
    return denoise_windows(windowing.windows(geometry), windowing.window_batch, denoise_chunk)


def _accelerate(plan: Plan, predict: Predict) -> Predict:
    """Return `predict` with the acceleration of the plan, if it has one."""
    choice = plan.request.acceleration
    if plan.acceleration is None or choice is None:
        return predict
    acceleration = f"the acceleration '{choice.name}'"
    with guard_plugin(acceleration):
        estimate = plan.acceleration(predict, plan.sigmas)

    def guarded(
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
        /,
    ) -> list[Tensor]:
        with guard_plugin(acceleration):
            estimates: list[Tensor] = estimate(x, sigma, conditions, control)
        return estimates

    return AcceleratedPredictor(predict, guarded)
