"""The problems that samplers are compared on and schedules are tuned to, by name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latelier.evaluation.sampling.problem import Problem
    from latelier.kernel.atelier import Atelier


MIXTURE = "mixture"
"""Name of the mixture of Gaussians; every other name is that of a model."""


def count_starting_points(on: str) -> int:
    """Return the number of starting points; each costs calls of the model."""
    return 64 if on == MIXTURE else 8


def count_exact_steps(on: str) -> int:
    """Return the steps of the exact solution."""
    return 1000 if on == MIXTURE else 200


def make_problem(
    on: str,
    seeds: Sequence[int],
    conditions: Sequence[str],
    guidance: str | None,
    atelier: "Atelier",
) -> "Problem":
    """Return the problem to solve: the mixture, or a model under conditions and guidance.

    Args:
        on: 'mixture', or a model: an embedded name, a folder, or owner/name on the hub.
        seeds: one for each starting point.
        conditions: of the model, 'NAME=VALUE' or 'NAME=@FILE'.
        guidance: of the model, 'SCALE' or 'NAME:KEY=VALUE,...'; None: its default.
        atelier: where names are looked up.

    Raises:
        UnknownNameError: the model or an input does not exist.
        ModelFileError: the model's files are damaged.
        InvalidInputError: a value is invalid.
    """
    if on == MIXTURE:
        from latelier.diffusion.processes.kinds import process_from
        from latelier.evaluation.sampling.mixture import make_mixture

        return make_mixture(process_from({"kind": "vp"}), seeds)
    from latelier.cli.options.model_inputs import read_model_inputs
    from latelier.cli.options.values import read_guidance
    from latelier.evaluation.sampling.pipelines import make_pipeline_problem
    from latelier.pipeline import load

    source, run = read_model_inputs(on, None, conditions, atelier)
    if guidance is not None:
        run["guidance"] = read_guidance(guidance)
    return make_pipeline_problem(load(source, dtype="float32", atelier=atelier), on, seeds, **run)
