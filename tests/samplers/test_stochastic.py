"""Stochastic samplers against direct formulas, their deterministic parents and each other."""

import math
from functools import partial
from itertools import pairwise

import pytest
import torch

from latelier.contracts import frames
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.brownian import BrownianNoise
from latelier_samplers.ddim import ddim
from latelier_samplers.dpm2 import dpm2
from latelier_samplers.dpm2_ancestral import dpm2_ancestral
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.dpmpp_2m_sde import dpmpp_2m_sde
from latelier_samplers.dpmpp_2s_ancestral import dpmpp_2s_ancestral
from latelier_samplers.dpmpp_3m_sde import dpmpp_3m_sde
from latelier_samplers.dpmpp_sde import dpmpp_sde
from latelier_samplers.edm_stochastic import edm_stochastic
from latelier_samplers.heun import heun
from latelier_samplers.lcm import lcm
from latelier_samplers.restart import Interval, restart
from latelier_samplers.sa_solver import sa_solver

FRAMES = ["ve", "flow"]
GENERATOR = torch.Generator().manual_seed(0)
FIRST = torch.randn(8, 4, generator=GENERATOR, dtype=torch.float64)
DRAWS = torch.randn(200, 8, 4, generator=GENERATOR, dtype=torch.float64)


def estimate(x, sigma):
    """A nonlinear estimate of x0 for x at alpha 1."""
    return torch.tanh(2 * x / math.hypot(1, sigma)) * (1 + 0.3 * math.cos(math.log(sigma)))


def grid_in(frame, steps=12, high=10.0, low=0.05, zero=True):
    """Power-3 spacing of sigma / alpha."""
    ends = high ** (1 / 3), low ** (1 / 3)
    ratios = [(ends[0] + i / (steps - zero) * (ends[1] - ends[0])) ** 3 for i in range(steps)]
    if not zero:
        ratios.append(low)
    sigmas = [frames.sigma_at(frame, -math.log(ratio)) for ratio in ratios]
    return SigmaGrid([*sigmas, 0.0] if zero else sigmas, frame)


def run(sampler, grid, draws=DRAWS, **options):
    """Return the end of a run at alpha 1, and sigma / alpha of each call of the model."""
    draws, calls = iter(draws), []

    def denoise(x, sigma):
        calls.append(sigma / grid.alpha(sigma))
        return estimate(x / grid.alpha(sigma), calls[-1])

    first = grid.sigmas[0]
    x = FIRST * 10 * grid.alpha(first)
    *_, step = run_sampler(sampler, denoise, x, grid, lambda *_: next(draws), **options)
    return step.x / grid.alpha(step.sigma), calls


def assert_same(x, reference):
    torch.testing.assert_close(x, reference, rtol=1e-10, atol=1e-10)


def of_any_noise(sampler, **options):
    return partial(sampler, s_tmin=0.0, s_tmax=math.inf, **options)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("zero", [True, False], ids=["to-0", "above-0"])
@pytest.mark.parametrize(
    ("sampler_", "parent"),
    [
        (partial(dpm2_ancestral, eta=0.0), dpm2),
        (partial(dpmpp_2m_sde, eta=0.0), dpmpp_2m),
        (partial(dpmpp_sde, eta=0.0), partial(dpmpp_2s_ancestral, eta=0.0)),
        (partial(edm_stochastic, s_churn=0.0), heun),
        (partial(restart, intervals=()), heun),
        (partial(sa_solver, tau=0.0, predictor_order=1, corrector_order=0), ddim),
        (partial(sa_solver, s_tmin=100.0, predictor_order=1, corrector_order=0), ddim),
    ],
    ids=["dpm2", "2m", "2s", "churn", "restart", "tau", "nowhere"],
)
def test_without_noise_it_equals_its_deterministic_sampler(sampler_, parent, frame, zero):
    grid = grid_in(frame, zero=zero)
    assert_same(run(sampler_, grid, draws=())[0], run(parent, grid, draws=())[0])


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("sampler_", "order"),
    [(ddim, 1), (partial(dpmpp_2m_sde, solver_type="heun"), 2), (dpmpp_3m_sde, 3)],
    ids=["ddim", "2m", "3m"],
)
def test_sa_predictor_equals_the_solver_of_its_order(sampler_, order, eta, frame):
    if order == 1 and eta == 0.5:
        pytest.skip("eta of ddim is another in between")
    predictor = of_any_noise(sa_solver, predictor_order=order, corrector_order=0)
    grid = grid_in(frame)
    expected = run(sampler_, grid, eta=eta)[0]
    assert_same(run(predictor, grid, tau=math.sqrt(eta))[0], expected)


@pytest.mark.parametrize(
    "sampler_",
    [
        partial(dpmpp_2m_sde, eta=0.7),
        partial(dpmpp_2s_ancestral, eta=0.7),
        partial(dpmpp_3m_sde, eta=0.7),
        partial(dpmpp_sde, eta=0.7, r=0.4),
        partial(sa_solver, predictor_order=3, corrector_order=4),
        lcm,
    ],
    ids=["2m", "2s", "3m", "sde", "sa", "lcm"],
)
def test_results_do_not_depend_on_the_frame(sampler_):
    assert_same(*(run(sampler_, grid_in(frame))[0] for frame in FRAMES))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize(
    ("sampler_", "order"),
    [(partial(dpmpp_2m_sde, solver_type="heun"), 2), (dpmpp_3m_sde, 3)]
    + [(order, order) for order in (1, 2, 3, 4)],
    ids=["2m", "3m", "sa1", "sa2", "sa3", "sa4"],
)
def test_steps_are_exact_for_polynomials(sampler_, order, eta, frame):
    """Once it has its estimates: x0 a polynomial in log(alpha / sigma), integrated by quadrature.

    k-diffusion's third order would fail, as it gives the square half its weight.
    """
    options = {"eta": eta}
    if sampler_ == order:
        sampler_ = of_any_noise(sa_solver, predictor_order=order, corrector_order=0)
        options = {"tau": math.sqrt(eta)}
    grid, draws, k = grid_in(frame, zero=False), iter(DRAWS), 1 + eta
    pending = iter(DRAWS)

    def x0_at(u):
        return sum(c * u**n for n, c in enumerate([0.3, -0.8, 0.5, 0.2][:order]))

    def denoise(x, sigma):
        return torch.full_like(x, x0_at(grid.half_log_snr(sigma)))

    steps = run_sampler(sampler_, denoise, FIRST, grid, lambda *_: next(draws), **options)
    before, points = FIRST, torch.linspace(0, 1, 2001, dtype=torch.float64)
    for step, (sigma, to) in zip(steps, pairwise(grid.sigmas)):
        start, end = grid.half_log_snr(sigma), grid.half_log_snr(to)
        u = start + (end - start) * points
        integral = torch.trapezoid(k * torch.exp(-k * (end - u)) * x0_at(u), u)
        keep = to / sigma * math.exp(-eta * (end - start))
        exact = keep * before + grid.alpha(to) * integral
        if eta:
            exact = exact + to * math.sqrt(1 - math.exp(-2 * eta * (end - start))) * next(pending)
        if step.index >= order - 1:
            torch.testing.assert_close(step.x, exact, rtol=1e-6, atol=1e-6)
        before = step.x


def down_and_up(sigma, to, eta):
    """Split `to` by the variances: what is left of sigma's noise, and what is fresh."""
    up = eta * math.sqrt(to**2 * (sigma**2 - to**2) / sigma**2)
    return math.sqrt(to**2 - up**2), up


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_dpmpp_2s_ancestral_equals_its_formula(eta):
    """arXiv:2211.01095, Algorithm 1 at alpha 1, from lambda = -log(sigma) on, and noise after."""
    grid, draws, x = grid_in("ve"), iter(DRAWS), FIRST * 10
    for sigma, to in pairwise(grid.sigmas):
        down, up = down_and_up(sigma, to, eta)
        x0 = estimate(x, sigma)
        if down > 0:
            h = math.log(sigma / down)
            half = sigma * math.exp(-h / 2)
            u = half / sigma * x - math.expm1(-h / 2) * x0
            x = down / sigma * x - math.expm1(-h) * estimate(u, half)
        else:
            x = x0
        if up > 0:
            x = x + up * next(draws)
    assert_same(run(dpmpp_2s_ancestral, grid, eta=eta)[0], x)


@pytest.mark.parametrize("r", [0.25, 0.5, 0.8])
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_dpmpp_sde_equals_its_formula(eta, r):
    grid, draws, x = grid_in("ve"), iter(DRAWS), FIRST * 10
    for sigma, to in pairwise(grid.sigmas):
        x0 = estimate(x, sigma)
        if to == 0:
            x = x0
            break
        half = sigma ** (1 - r) * to**r
        down, up = down_and_up(sigma, half, eta)
        first = next(draws) if eta else 0
        u = down / sigma * x + (1 - down / sigma) * x0 + up * first
        x0 = (1 - 1 / (2 * r)) * x0 + 1 / (2 * r) * estimate(u, half)
        down, up = down_and_up(sigma, to, eta)
        second = next(draws) if eta else 0
        variances = half**-2 - sigma**-2, to**-2 - half**-2
        both = math.sqrt(variances[0]) * first + math.sqrt(variances[1]) * second
        eps = both / math.sqrt(sum(variances))
        x = down / sigma * x + (1 - down / sigma) * x0 + up * eps
    assert_same(run(dpmpp_sde, grid, eta=eta, r=r)[0], x)


@pytest.mark.parametrize("eta", [0.4, 1.0])
def test_dpm2_ancestral_equals_its_formula(eta):
    grid, draws, x = grid_in("ve"), iter(DRAWS), FIRST * 10
    for sigma, to in pairwise(grid.sigmas):
        down, up = down_and_up(sigma, to, eta)
        eps = (x - estimate(x, sigma)) / sigma
        if down > 0:
            half = math.exp((math.log(sigma) + math.log(down)) / 2)
            u = x + (half - sigma) * eps
            eps = (u - estimate(u, half)) / half
        x = x + (down - sigma) * eps
        if up > 0:
            x = x + up * next(draws)
    assert_same(run(dpm2_ancestral, grid, eta=eta)[0], x)


def test_edm_stochastic_equals_its_algorithm():
    """arXiv:2206.00364, Algorithm 2, by its own symbols."""
    grid, draws, x = grid_in("ve"), iter(DRAWS), FIRST * 10
    S_churn, S_tmin, S_tmax, S_noise = 3.0, 0.2, 5.0, 1.01
    gamma = min(S_churn / grid.steps, math.sqrt(2) - 1)
    for t, t_next in pairwise(grid.sigmas):
        t_hat = t * (1 + gamma) if S_tmin <= t <= S_tmax else t
        if t_hat > t:
            x = x + math.sqrt(t_hat**2 - t**2) * S_noise * next(draws)
        d = (x - estimate(x, t_hat)) / t_hat
        x_next = x + (t_next - t_hat) * d
        if t_next > 0:
            d_next = (x_next - estimate(x_next, t_next)) / t_next
            x_next = x + (t_next - t_hat) * (d + d_next) / 2
        x = x_next
    options = {"s_churn": S_churn, "s_tmin": S_tmin, "s_tmax": S_tmax, "s_noise": S_noise}
    assert_same(run(edm_stochastic, grid, **options)[0], x)


def heun_step(x, sigma, to):
    slope = (x - estimate(x, sigma)) / sigma
    ahead = x + (to - sigma) * slope
    return x + (to - sigma) * (slope + (ahead - estimate(ahead, to)) / to) / 2 if to else ahead


def test_restart_equals_its_algorithm():
    grid, draws, x = grid_in("ve"), iter(DRAWS), FIRST * 10
    intervals = (Interval(3, 2, 0.11, 2.0), Interval(1, 1, 1.0, 8.0))
    near = {low: min(grid.sigmas[1:-1], key=lambda s: abs(math.log(s / low))) for low in (0.11, 1)}
    for sigma, to in pairwise(grid.sigmas):
        x = heun_step(x, sigma, to)
        for steps, times, low, high in intervals:
            if to != near[low]:
                continue
            a, b = high ** (1 / 7), to ** (1 / 7)
            way = [(a + i / steps * (b - a)) ** 7 for i in range(steps)] + [to]
            for _ in range(times):
                x = x + math.sqrt(high**2 - to**2) * next(draws)
                for s, s_to in pairwise(way):
                    x = heun_step(x, s, s_to)
    assert_same(run(restart, grid, intervals=intervals)[0], x)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize(
    ("interval", "more"),
    [
        (Interval(3, 2, 0.1, 2.0), 12),
        (Interval(3, 2, 0.1, 10.5), 0),  # it begins above the grid
        (Interval(3, 2, 0.01, 0.04), 0),  # and ends below it
    ],
)
def test_a_restart_is_limited_to_the_grid(interval, more, frame):
    grid = grid_in(frame)
    _, plain = run(heun, grid)
    _, calls = run(restart, grid, intervals=(interval,))
    assert len(calls) == len(plain) + more
    assert max(calls) == pytest.approx(10)


@pytest.mark.parametrize("frame", FRAMES)
def test_every_sampler_accepts_brownian_noise(sampler, traits, frame):
    if not traits.stochastic:
        pytest.skip("draws no noise")
    grid = (
        SigmaGrid([1.0, *grid_in(frame).sigmas[1:]], "flow") if frame == "flow" else grid_in(frame)
    )
    noise = BrownianNoise([1, 2], (4, 4, 4), frame)
    x = noise.initial() * grid.sigmas[0]
    for step in run_sampler(sampler, lambda x, sigma: torch.tanh(x), x, grid, noise):
        assert step.x.isfinite().all()


def test_brownian_noise_of_a_half_step_is_part_of_the_step():
    """So that with a constant x0 the middle of the steps makes no difference."""
    ends = []
    for r in (0.3, 0.6):
        noise = BrownianNoise([1], (4, 4, 4), "ve")
        x = 10 * noise.initial().double()
        *_, step = dpmpp_sde(
            lambda x, sigma: torch.ones_like(x), x, grid_in("ve", zero=False), noise=noise, r=r
        )
        ends.append(step.x)
    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "sampler_",
    [
        partial(dpm2_ancestral, eta=0.5),
        partial(dpmpp_2m_sde, eta=0.0),
        partial(dpmpp_2m_sde, solver_type="heun"),
        partial(dpmpp_2s_ancestral, eta=0.0),
        partial(dpmpp_2s_ancestral, eta=0.5),
        partial(dpmpp_3m_sde, eta=0.0),
        partial(dpmpp_sde, eta=0.5),
        partial(edm_stochastic, s_tmin=0.0, s_tmax=math.inf),
        of_any_noise(sa_solver, predictor_order=4, corrector_order=4),
        of_any_noise(sa_solver, predictor_order=1, corrector_order=1, tau=0.0),
    ],
)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10])
def test_options_work_from_pure_noise(sampler_, steps):
    sigmas = [1 - i / steps for i in range(steps)]
    draws = iter(DRAWS)
    for step in run_sampler(
        sampler_,
        lambda x, sigma: torch.tanh(x),
        FIRST,
        SigmaGrid([*sigmas, 0.0], "flow"),
        lambda *_: next(draws),
    ):
        assert step.x.isfinite().all()
    torch.testing.assert_close(step.x, step.denoised)


@pytest.mark.parametrize(
    ("sampler_", "options", "message"),
    [
        (dpm2_ancestral, {"eta": 1.1}, "'eta': .*less than or equal to 1"),
        (dpmpp_2s_ancestral, {"eta": -0.1}, "'eta': .*greater than or equal to 0"),
        (dpmpp_2m_sde, {"eta": math.nan}, "'eta': .*less than or equal to 100"),
        (dpmpp_2m_sde, {"solver_type": "euler"}, "'solver_type': .*'midpoint' or 'heun'"),
        (dpmpp_3m_sde, {"eta": "much"}, "'eta': .*valid number"),
        (dpmpp_sde, {"r": 1.0}, "'r': .*less than 1"),
        (edm_stochastic, {"s_churn": -1}, "'s_churn': .*greater than or equal to 0"),
        (edm_stochastic, {"S_churn": 40}, "there is no field 'S_churn'.*s_churn"),
        (lcm, {"eta": 1}, "there is no field 'eta'"),
        (restart, {"intervals": [(3, 2, 2.0, 0.1)]}, "from low to high, not from 2 to 0.1"),
        (restart, {"intervals": [(0, 2, 0.1, 2.0)]}, "'intervals.0.0': .*greater than or equal"),
        (
            restart,
            {"intervals": [(3, 2, 0.1, math.inf)]},
            "'intervals.0.3': .*less than or equal to 1000000",
        ),
        (sa_solver, {"predictor_order": 5}, "'predictor_order': .*less than or equal to 4"),
        (sa_solver, {"tau": -1}, "'tau': .*greater than or equal to 0"),
    ],
)
def test_invalid_options_are_refused(sampler_, options, message):
    with pytest.raises(InvalidInputError, match=message):
        read_options(sampler_, options, "sampler")
