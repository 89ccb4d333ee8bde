"""A tuned schedule errs less, also where it was not tuned, and stays a schedule."""

import pytest

from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.evaluation.sampling.comparison import solve_exactly
from latelier.evaluation.sampling.mixture import make_mixture
from latelier.evaluation.sampling.problem import measure_errors
from latelier.evaluation.sampling.tuning import make_starting_grids, tune_schedule
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.schedules.karras import karras
from latelier_samplers.schedules.model import model


@pytest.mark.parametrize("process", [VP(), RectifiedFlow()], ids=["ve", "flow"])
def test_tuning_lowers_the_error_on_held_out_seeds(process, built_ins):
    seen, unseen = make_mixture(process, range(1000, 1128)), make_mixture(process, range(256))
    exact = solve_exactly(seen, built_ins, steps=200)
    start, told = karras(8, process), []
    grid, error = tune_schedule(seen, dpmpp_2m, [start], exact, rounds=12, report=told.append)
    assert (grid.steps, grid.frame) == (8, process.frame)
    assert (grid.sigmas[0], grid.sigmas[-1]) == (start.sigmas[0], 0)
    assert error == measure_errors(seen.solve(dpmpp_2m, grid), exact).mean()
    assert 1 <= len(told) <= 12
    exact = solve_exactly(unseen, built_ins, steps=200)
    before, after = (
        measure_errors(unseen.solve(dpmpp_2m, each), exact).mean() for each in (start, grid)
    )
    assert after < 0.8 * before


def test_the_best_starting_grid_is_used(built_ins):
    problem = make_mixture(VP(), range(16))
    exact = solve_exactly(problem, built_ins, steps=200)
    starts = [karras(8, problem.process), model(8, problem.process)]
    errors = [measure_errors(problem.solve(dpmpp_2m, each), exact).mean() for each in starts]
    for ordered in (starts, starts[::-1]):
        _, error = tune_schedule(problem, dpmpp_2m, ordered, exact, rounds=0)
        assert error == min(errors)


def test_tuning_stops_when_no_move_improves(built_ins):
    problem = make_mixture(VP(), range(4))
    grid = karras(3, problem.process)
    exact = problem.solve(dpmpp_2m, grid)  # it is exact already
    found, error = tune_schedule(problem, dpmpp_2m, [grid], exact, rounds=100)
    assert (found, error) == (grid, 0)


def test_more_starting_grids_can_lower_the_error(built_ins):
    problem = make_mixture(VP(), range(1000, 1032))
    exact = solve_exactly(problem, built_ins, steps=200)
    starts = make_starting_grids(problem, 5, built_ins)
    ends = [tune_schedule(problem, dpmpp_2m, [start], exact, rounds=6)[1] for start in starts]
    _, first = tune_schedule(problem, dpmpp_2m, starts, exact, rounds=6)
    _, found = tune_schedule(problem, dpmpp_2m, starts, exact, rounds=6, followed=len(starts))
    assert found == min(ends) < first


def test_starting_grids_have_the_requested_steps_and_differ(built_ins):
    starts = make_starting_grids(make_mixture(VP(), range(4)), 8, built_ins)
    assert len(starts) >= 5
    assert {start.steps for start in starts} == {8}
    assert len({start.sigmas for start in starts}) == len(starts)
