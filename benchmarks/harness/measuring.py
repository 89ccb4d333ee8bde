"""Measuring one case in this process."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

import torch
from torch import Tensor

from benchmarks.harness.case import Case, Setup, SkipError, Variant
from benchmarks.harness.ceilings import measure_ceilings
from benchmarks.harness.goal import Goal, Samples
from benchmarks.harness.machine import read_commit, watch_others
from benchmarks.harness.results import CaseResult, GoalResult, Spread, VariantResult
from benchmarks.harness.timing import take_turns

QUICK_ROUNDS = 1
"""Rounds of a run that only tries a case, after the warm-up."""


def measure(case: Case, is_quick: bool = False) -> CaseResult:
    """Return what is measured of a case, or why it is skipped."""
    start = time.perf_counter()
    result = CaseResult(
        name=case.name,
        title=case.title,
        commit=read_commit(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        is_quick=is_quick,
    )
    with ExitStack() as stack:
        try:
            variants = case.variants(Setup(stack, is_quick))
        except SkipError as reason:
            return result.model_copy(update={"skipped": str(reason)})
        ceilings = measure_ceilings()
        rounds = min(case.rounds, QUICK_ROUNDS) if is_quick else case.rounds
        with watch_others() as others:
            samples, outputs = take_turns(variants, rounds, case.warmups)
    return result.model_copy(
        update={
            "seconds": time.perf_counter() - start,
            "others": others[0] if others else None,
            "ceilings": ceilings,
            "variants": summarize(variants, samples, outputs),
            "goals": [assess(goal, samples) for goal in case.goals],
        }
    )


def summarize(
    variants: Mapping[str, Variant], samples: Samples, outputs: Mapping[str, Tensor]
) -> dict[str, VariantResult]:
    """Return the samples of each variant, and how its output differs from the first one."""
    reference = next(iter(outputs), None)
    found = {}
    for name, variant in variants.items():
        values = list(samples[name])
        found[name] = VariantResult(unit=variant.unit, samples=values, spread=Spread.of(values))
        if reference is not None and name in outputs and name != reference:
            differences = compare_outputs(outputs[name], outputs[reference])
            found[name].max_abs, found[name].relative_l2 = differences
    return found


def compare_outputs(output: Tensor, reference: Tensor) -> tuple[float, float]:
    """Return the largest difference, and the norm of all relative to that of the reference."""
    expected = reference.to("cpu", torch.float64)
    error = output.to("cpu", torch.float64) - expected
    return float(error.abs().max()), float(error.norm() / expected.norm())


def assess(goal: Goal, samples: Samples) -> GoalResult:
    """Return the value of a goal beside its bounds."""
    spread = Spread.of(goal.values(samples))
    return GoalResult(
        text=goal.text,
        unit=goal.unit,
        spread=spread,
        at_least=goal.at_least,
        at_most=goal.at_most,
        is_met=goal.is_met(spread.median),
    )
