"""What a run pays for the hooks of its plugins, which do nothing here."""

from collections.abc import Mapping
from typing import Any

import torch

from benchmarks.harness.case import Case, Setup, Variant
from benchmarks.harness.goal import Goal, value
from benchmarks.harness.timing import timed
from latelier import hookimpl
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.pipeline.picture import Snapshot

PLUGINS, STEPS = 5, 50
WITH, WITHOUT = f"{PLUGINS} plugins", "no plugin"


class Observer:
    """Implements both hooks of a step and does nothing."""

    @hookimpl
    def latelier_before_step(self, run: str, step: int, steps: int, sigma: float) -> None:
        """Do nothing before a step."""

    @hookimpl
    def latelier_after_step(
        self, run: str, step: int, steps: int, sigma: float, snapshot: Snapshot
    ) -> None:
        """Do nothing after a step."""


def variants(_setup: Setup, /) -> Mapping[str, Variant]:
    """Return the hook calls of a run, with and without plugins."""
    return {WITHOUT: run_hooks(0), WITH: run_hooks(PLUGINS)}


def run_hooks(plugins: int) -> Variant:
    """Return the calls of a run; their time does not depend on the model."""
    atelier = Atelier(policy=Policy(), candidates=[])
    for k in range(plugins):
        atelier.register(Observer(), f"observer-{k}")
    latents = torch.zeros(1, 4, 8, 8)

    def run() -> None:
        dispatcher = atelier.dispatcher()
        for step in range(1, STEPS + 1):
            counts = {"step": step, "steps": STEPS}
            dispatcher.emit("latelier_before_step", **counts, sigma=1.0)
            snapshot = Snapshot(latents, refuse_decode)
            dispatcher.emit("latelier_after_step", **counts, sigma=0.9, snapshot=snapshot)

    return timed(run)


def refuse_decode(latents: torch.Tensor) -> list[Any]:
    raise AssertionError(f"unexpected decoding of latents of shape {tuple(latents.shape)}")


HOOKS = Case(
    "hooks",
    f"2 hooks of {PLUGINS} plugins in a run of {STEPS} steps",
    variants,
    (Goal("all calls", value(WITH), at_most=0.002, unit="s"),),
    rounds=200,
)
