"""What is measured: the calls counted, the budget kept, errors that fall as the order says."""

import math
from dataclasses import replace

import pytest
import torch

from latelier.contracts.components import PictureGeometry
from latelier.contracts.errors import InvalidInputError, UnknownNameError
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.evaluation.sampling.budget import count_calls, find_grid
from latelier.evaluation.sampling.comparison import (
    make_sampler,
    make_schedule,
    measure_samplers,
    solve_exactly,
)
from latelier.evaluation.sampling.mixture import make_mixture
from latelier.evaluation.sampling.plot import plot
from latelier.evaluation.sampling.problem import measure_errors
from latelier.pipeline.request import NamedOptions
from latelier_samplers.ddim import ddim
from latelier_samplers.heun import heun
from latelier_samplers.schedules.compvis import compvis
from latelier_samplers.schedules.karras import karras

PROBLEM = make_mixture(VP(), range(4))


def grid_of(steps):
    return karras(steps, PROBLEM.process)


@pytest.mark.parametrize(("sampler", "calls"), [(ddim, 7), (heun, 13)])
def test_count_calls_counts_denoiser_calls(sampler, calls):
    assert count_calls(sampler, grid_of(7)) == calls


@pytest.mark.parametrize(("budget", "steps"), [(1, 1), (2, 1), (3, 2), (8, 4), (9, 5)])
def test_a_sampler_with_two_calls_per_step_gets_half_the_steps(budget, steps):
    assert find_grid(budget, heun, grid_of).steps == steps


def test_find_grid_skips_step_counts_that_a_schedule_cannot_make():
    found = find_grid(9, ddim, lambda steps: compvis(steps, PROBLEM.process))
    assert found.steps == 8  # the paper's code fails at 9
    assert find_grid(0, ddim, grid_of) is None


def test_errors_are_relative_per_image():
    exact = torch.tensor([[3.0, 4.0], [0.0, 10.0]])
    ends = torch.tensor([[3.0, 5.0], [0.0, 9.0]])
    assert measure_errors(ends, exact).tolist() == pytest.approx([0.2, 0.1])


@pytest.fixture(scope="module")
def exact(built_ins):
    return solve_exactly(PROBLEM, built_ins, steps=400)


def test_errors_decrease_with_the_order_of_the_sampler(built_ins, exact):
    names = [NamedOptions(name=name) for name in ("ddim", "heun", "dpmpp_2m")]
    found = list(
        measure_samplers(PROBLEM, exact, names, [NamedOptions(name="karras")], [40, 80], built_ins)
    )
    assert [(each.sampler, each.budget) for each in found] == [
        (name, budget) for name in ("ddim", "heun", "dpmpp_2m") for budget in (40, 80)
    ]
    order = {
        coarse.sampler: math.log2(coarse.error / fine.error)
        for coarse, fine in zip(found[::2], found[1::2])
    }
    assert order["ddim"] == pytest.approx(1, abs=0.4)
    assert order["dpmpp_2m"] > 1.5
    assert found[2].nfe == 39


def test_labels_include_options(built_ins, exact):
    samplers = [NamedOptions(name="lms"), NamedOptions(name="lms", options={"order": 2})]
    schedules = [NamedOptions(name="karras", options={"rho": 3.0})]
    found = list(measure_samplers(PROBLEM, exact, samplers, schedules, [10], built_ins))
    assert [each.sampler for each in found] == ["lms", "lms:order=2"]
    assert {each.schedule for each in found} == {"karras:rho=3.0"}
    assert found[0].error != found[1].error


def test_a_name_uses_its_registered_defaults(built_ins):
    sampler = make_sampler(NamedOptions(name="euler_ancestral"), built_ins)
    assert sampler.keywords["eta"] == 1
    with pytest.raises(UnknownNameError, match="Did you mean 'heun'"):
        make_sampler(NamedOptions(name="huen"), built_ins)


def test_results_are_plotted(built_ins, exact, tmp_path):
    pytest.importorskip("matplotlib")
    choices = [NamedOptions(name="ddim"), NamedOptions(name="heun")]
    found = list(
        measure_samplers(PROBLEM, exact, choices, [NamedOptions(name="karras")], [5, 10], built_ins)
    )
    plot(found, tmp_path / "errors.svg")
    drawn = (tmp_path / "errors.svg").read_text()
    assert "<svg" in drawn
    plot(found, tmp_path / "errors.png")
    assert (tmp_path / "errors.png").stat().st_size > 10_000


def test_a_schedule_by_the_size_of_the_picture_needs_pictures(built_ins):
    choice, flow = NamedOptions(name="dynamic_shift"), make_mixture(RectifiedFlow(), range(4))
    with pytest.raises(InvalidInputError, match="depends on the size of the picture"):
        make_schedule(choice, flow, built_ins)(4)
    pictures = replace(flow, geometry=PictureGeometry((512, 512), (64, 64)))
    assert make_schedule(choice, pictures, built_ins)(4).steps == 4
