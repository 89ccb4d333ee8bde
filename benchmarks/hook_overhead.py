"""Measure what a run pays for the hooks of its plugins.

Registers --plugins plugins whose hooks before and after each sampling step do nothing, and makes
the hook calls of a run of --steps steps. Their total time does not depend on the model. The first
row is without plugins.

python benchmarks/hook_overhead.py
"""

import argparse
import json
import statistics
import time
from typing import Any

import torch

from latelier import hookimpl
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.pipeline.picture import Snapshot

TARGET_MS = 2.0
"""For 5 plugins, 2 hooks and 50 steps."""


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = [measure(count, arguments.steps, arguments.runs) for count in (0, arguments.plugins)]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(
            f"{row['plugins']:2} plugins x 2 hooks x {row['steps']} steps: median "
            f"{row['median_ms']:.3f} ms, least {row['least_ms']:.3f}, most {row['most_ms']:.3f} "
            f"(target {TARGET_MS:g} for 5)"
        )


def measure(plugins: int, steps: int, runs: int) -> dict[str, Any]:
    atelier = Atelier(policy=Policy(), candidates=[])
    for k in range(plugins):
        atelier.register(Observer(), f"observer-{k}")
    walls = [1000 * time_run(atelier, steps) for _ in range(runs)]
    return {
        "plugins": plugins,
        "steps": steps,
        "median_ms": statistics.median(walls),
        "least_ms": min(walls),
        "most_ms": max(walls),
    }


def time_run(atelier: Atelier, steps: int) -> float:
    """Return the seconds of the dispatcher and all its calls in a run."""
    latents = torch.zeros(1, 4, 8, 8)
    start = time.perf_counter()
    dispatcher = atelier.dispatcher()
    for step in range(1, steps + 1):
        dispatcher.emit("latelier_before_step", step=step, steps=steps, sigma=1.0)
        snapshot = Snapshot(latents, refuse_decode)
        dispatcher.emit("latelier_after_step", step=step, steps=steps, sigma=0.9, snapshot=snapshot)
    return time.perf_counter() - start


def refuse_decode(latents: torch.Tensor) -> list[Any]:
    raise AssertionError(f"unexpected decoding of latents of shape {tuple(latents.shape)}")


if __name__ == "__main__":
    main()
