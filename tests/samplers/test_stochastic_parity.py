"""Stochastic samplers against diffusers' schedulers: the same sigmas, estimates and noise.

What the model says goes in as x0, a nonlinear function of x and sigma in float64, so only the
updates are compared (test_diffusers_parity has the conversions and times). The schedulers keep
their sigmas in float32 and cast x to it in places, hence 1e-5 and not 1e-12. Real differences have
tests of their own at the end.
"""

import math
import sys
import types
from importlib import import_module

import pytest
import torch

from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier_samplers.dpm2_ancestral import dpm2_ancestral
from latelier_samplers.dpmpp_2m_sde import dpmpp_2m_sde
from latelier_samplers.dpmpp_3m_sde import dpmpp_3m_sde
from latelier_samplers.dpmpp_sde import dpmpp_sde
from latelier_samplers.edm_stochastic import edm_stochastic
from latelier_samplers.lcm import lcm
from latelier_samplers.sa_solver import sa_solver

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

BETAS = {"beta_start": 0.0015, "beta_end": 0.0195, "beta_schedule": "scaled_linear"}
STEPS, SHAPE = 20, (2, 4, 8, 8)
GENERATOR = torch.Generator().manual_seed(0)
MIX = torch.randn(4, 4, generator=GENERATOR, dtype=torch.float64) / 2
FIRST = torch.randn(SHAPE, generator=GENERATOR, dtype=torch.float64)
DRAWS = torch.randn(3 * STEPS, *SHAPE, generator=GENERATOR)


@pytest.fixture
def scheduler_of(monkeypatch):
    """Return a scheduler by name, made so that the model's output is x0.

    Those of SDEs import torchsde, for a Brownian path that is not used here.
    """
    import_module("diffusers.schedulers")  # slow: not at collection; looks for torchsde
    monkeypatch.setitem(sys.modules, "torchsde", types.ModuleType("torchsde"))

    def made(module, name, **options):
        loaded = import_module(f"diffusers.schedulers.scheduling_{module}")
        scheduler = getattr(loaded, name)(**options)
        scheduler.convert_model_output = lambda output, sample: output
        draws = iter(DRAWS)
        if hasattr(loaded, "randn_tensor"):
            monkeypatch.setattr(loaded, "randn_tensor", lambda *_, **__: next(draws).double())
        return scheduler

    return made


def x0_of(x, sigma):
    """Take x at alpha 1."""
    mixed = torch.einsum("ij,bjhw->bihw", MIX, x)
    return torch.tanh(mixed / math.hypot(1, sigma) * (1 + 0.5 * math.cos(math.log(sigma))))


def ours(sampler, grid, x, draws=None, **options):
    """Return the end of a run in the 've' frame, or at alpha 1 of one in the 'flow' frame."""
    draws = iter(DRAWS if draws is None else draws)

    def denoise(x, sigma):
        return x0_of(x / grid.alpha(sigma), sigma / grid.alpha(sigma))

    *_, step = run_sampler(sampler, denoise, x, grid, lambda *_: next(draws), **options)
    return step.x / grid.alpha(step.sigma)


def assert_same(x, reference):
    assert (x - reference).norm() / reference.norm() < 1e-5


def assert_different(x, reference):
    assert (x - reference).norm() / reference.norm() > 1e-3


def of_unit_variance(scheduler, frame="ve", noisy=False):
    """Return grid, first x and the end of a run of a scheduler whose x has unit variance."""
    scheduler.set_timesteps(STEPS)
    scheduler.sigmas = scheduler.sigmas.double()
    grid = SigmaGrid(scheduler.sigmas.tolist(), frame)
    x = FIRST
    for index, t in enumerate(scheduler.timesteps):
        sigma = grid.sigmas[index]
        scale = grid.alpha(sigma) if frame == "flow" else 1 / math.hypot(1, sigma)
        output = x0_of(x / scale, sigma / grid.alpha(sigma))
        options = {"variance_noise": DRAWS[index]} if noisy else {}
        x = scheduler.step(output, t, x, **options).prev_sample
    last = grid.sigmas[-1]
    end = x / (grid.alpha(last) if frame == "flow" else 1 / math.hypot(1, last))
    first = FIRST if frame == "flow" else FIRST * math.hypot(1, grid.sigmas[0])
    return grid, first, end


def multistep(scheduler_of, order, solver_type, options):
    return scheduler_of(
        "dpmsolver_multistep",
        "DPMSolverMultistepScheduler",
        **{**BETAS, **options},
        algorithm_type="sde-dpmsolver++",
        solver_order=order,
        solver_type=solver_type,
        lower_order_final=False,
    )


MULTISTEP = pytest.mark.parametrize(
    ("options", "frame"),
    [
        ({"timestep_spacing": "trailing"}, "ve"),
        ({"use_karras_sigmas": True}, "ve"),
        ({"timestep_spacing": "leading", "final_sigmas_type": "sigma_min"}, "ve"),
        ({"prediction_type": "flow_prediction", "use_flow_sigmas": True}, "flow"),
    ],
    ids=["trailing", "karras", "sigma_min", "flow"],
)


@MULTISTEP
@pytest.mark.parametrize("solver_type", ["midpoint", "heun"])
def test_dpmpp_2m_sde_equals_diffusers(scheduler_of, solver_type, options, frame):
    scheduler = multistep(scheduler_of, 2, solver_type, options)
    grid, x, end = of_unit_variance(scheduler, frame, noisy=True)
    assert_same(ours(dpmpp_2m_sde, grid, x, solver_type=solver_type), end)


@MULTISTEP
def test_dpmpp_3m_sde_equals_diffusers(scheduler_of, options, frame):
    """But for the weight of their D2, which is set right here."""
    scheduler = multistep(scheduler_of, 3, "heun", options)
    update = scheduler.multistep_dpm_solver_third_order_update

    def corrected(estimates, *, sample, noise):
        i = scheduler.step_index
        pairs = [scheduler._sigma_to_alpha_sigma_t(s) for s in scheduler.sigmas[i - 2 : i + 2]]
        l2, l1, l0, to = [(a.log() - s.log()).double() for a, s in pairs]
        m2, m1, m0 = estimates
        z = 2 * (to - l0)
        curvature = ((m0 - m1) / (l0 - l1) - (m1 - m2) / (l1 - l2)) / (l0 - l2) * (to - l0) ** 2
        theirs = (1 - torch.exp(-z) - z) / z**2 - 0.5
        right = 1 - 2 / z * (1 - (1 - torch.exp(-z)) / z)
        more = pairs[-1][0] * (right - theirs) * curvature
        return update(estimates, sample=sample, noise=noise) + more

    scheduler.multistep_dpm_solver_third_order_update = corrected
    grid, x, end = of_unit_variance(scheduler, frame, noisy=True)
    assert_same(ours(dpmpp_3m_sde, grid, x), end)


@pytest.mark.parametrize("solver_type", ["midpoint", "heun"])
def test_dpmpp_2m_sde_equals_the_cosine_scheduler(scheduler_of, solver_type):
    scheduler = scheduler_of(
        "cosine_dpmsolver_multistep",
        "CosineDPMSolverMultistepScheduler",
        sigma_min=0.03,
        sigma_max=50,
        solver_type=solver_type,
        lower_order_final=False,
    )
    scheduler.set_timesteps(STEPS)
    grid, draws = SigmaGrid(scheduler.sigmas.tolist(), "ve"), iter(DRAWS)
    scheduler.noise_sampler = lambda *_: next(draws)
    x = FIRST * grid.sigmas[0]
    for sigma, t in zip(grid.sigmas, scheduler.timesteps):
        x = scheduler.step(x0_of(x, sigma), t, x).prev_sample
    assert_same(ours(dpmpp_2m_sde, grid, FIRST * grid.sigmas[0], solver_type=solver_type), x)


@pytest.mark.parametrize("options", [{"timestep_spacing": "trailing"}, {"use_karras_sigmas": True}])
def test_dpm2_ancestral_equals_diffusers(scheduler_of, options):
    scheduler = scheduler_of(
        "k_dpm_2_ancestral_discrete", "KDPM2AncestralDiscreteScheduler", **BETAS, **options
    )
    scheduler.set_timesteps(STEPS)
    grid = SigmaGrid(dict.fromkeys(scheduler.sigmas.tolist()), "ve")
    x = first = FIRST * grid.sigmas[0]
    for index, t in enumerate(scheduler.timesteps):
        table = scheduler.sigmas_interpol if index % 2 else scheduler.sigmas
        sigma = table[index - index % 2].item()
        x = scheduler.step((x - x0_of(x, sigma)) / sigma, t, x).prev_sample
    assert_same(ours(dpm2_ancestral, grid, first), x)


@pytest.mark.parametrize("options", [{"timestep_spacing": "trailing"}, {"use_karras_sigmas": True}])
def test_dpmpp_sde_equals_diffusers(scheduler_of, options):
    """Given the noise of the step that contains that of its half."""
    scheduler = scheduler_of("dpmsolver_sde", "DPMSolverSDEScheduler", **BETAS, **options)
    scheduler.set_timesteps(STEPS)
    grid = SigmaGrid(dict.fromkeys(scheduler.sigmas.tolist()), "ve")
    draws, halves = iter(DRAWS.double()), {}

    def noise(sigma, to):
        sigma, to = float(sigma), float(to)
        if sigma not in halves:
            halves[sigma] = to, next(draws)
            return halves[sigma][1]
        half, eps = halves[sigma]
        whole = to**-2 - sigma**-2
        share, rest = (half**-2 - sigma**-2) / whole, (to**-2 - half**-2) / whole
        return math.sqrt(share) * eps + math.sqrt(rest) * next(draws)

    scheduler.noise_sampler = noise
    x = first = FIRST * grid.sigmas[0]
    for index, t in enumerate(scheduler.timesteps):
        sigma = scheduler.sigmas[index].item()
        if index % 2:
            sigma = math.sqrt(scheduler.sigmas[index - 1].item() * sigma)
        x = scheduler.step((x - x0_of(x, sigma)) / sigma, t, x).prev_sample
    assert_same(ours(dpmpp_sde, grid, first), x)


def sa(scheduler_of, predictor, corrector, tau, spacing="trailing"):
    return scheduler_of(
        "sasolver",
        "SASolverScheduler",
        **BETAS,
        timestep_spacing=spacing,
        predictor_order=predictor,
        corrector_order=corrector,
        tau_func=tau,
        lower_order_final=False,
    )


def made_exact(scheduler):
    """Remove the excess of their weights over the integral of the line."""
    coefficients = scheduler.get_coefficients_fn

    def exact(order, start, end, nodes, tau):
        weights, h, k = coefficients(order, start, end, nodes, tau), end - start, 1 + tau**2
        if order == 2:
            more = h**2 / 2 - (h * k - 1 + torch.exp(-k * h)) / k**2
            more *= torch.exp(k * end) / (nodes[0] - nodes[1])
            weights = [weights[0] - more, weights[1] + more]
        return weights

    scheduler.get_coefficients_fn = exact
    return scheduler


@pytest.mark.parametrize("tau", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize(
    ("predictor", "corrector"), [(1, 1), (2, 2), (3, 1), (2, 3), (3, 4), (4, 4)]
)
def test_sa_solver_equals_diffusers(scheduler_of, predictor, corrector, spacing, tau):
    """Where two estimates are used, as in the second step of all: with their weights made exact."""
    scheduler = made_exact(sa(scheduler_of, predictor, corrector, lambda t: tau, spacing))
    grid, x, end = of_unit_variance(scheduler)
    options = {"predictor_order": predictor, "corrector_order": corrector, "tau": tau}
    assert_same(ours(sa_solver, grid, x, s_tmin=0, s_tmax=math.inf, **options), end)


def test_sa_solver_adds_noise_in_the_same_interval(scheduler_of):
    scheduler = made_exact(sa(scheduler_of, 3, 3, lambda t: 1.0 if 200 <= t <= 800 else 0.0))
    grid, x, end = of_unit_variance(scheduler)
    noisy = [i for i, t in enumerate(scheduler.timesteps) if 200 <= t <= 800]
    part = {"s_tmin": grid.sigmas[noisy[-1]] * 0.999, "s_tmax": grid.sigmas[noisy[0]] * 1.001}
    orders = {"predictor_order": 3, "corrector_order": 3}
    assert_same(ours(sa_solver, grid, x, DRAWS[noisy[0] :], **orders, **part), end)


@pytest.mark.parametrize("steps", [1, 4, 8])
def test_lcm_equals_diffusers(scheduler_of, steps):
    scheduler = scheduler_of("lcm", "LCMScheduler", clip_sample=False, prediction_type="sample")
    scheduler.set_timesteps(steps)
    abar = scheduler.alphas_cumprod[scheduler.timesteps].double()
    grid = SigmaGrid([*((1 - abar) / abar).sqrt().tolist(), 0.0], "ve")
    x = FIRST
    for index, t in enumerate(scheduler.timesteps):
        sigma = grid.sigmas[index]
        x = scheduler.step(x0_of(x * math.hypot(1, sigma), sigma), t, x).prev_sample
    assert_same(ours(lcm, grid, FIRST * math.hypot(1, grid.sigmas[0])), x)


def test_lcm_flow_equals_diffusers(scheduler_of):
    scheduler = scheduler_of("flow_match_lcm", "FlowMatchLCMScheduler")
    scheduler.set_timesteps(STEPS)
    grid, x = SigmaGrid(scheduler.sigmas.tolist(), "flow"), FIRST

    def denoise(x, sigma):
        return torch.tanh(x)

    for sigma, t in zip(grid.sigmas, scheduler.timesteps):
        x = scheduler.step((x - denoise(x, sigma)) / sigma, t, x).prev_sample
    draws = iter(DRAWS)
    *_, step = lcm(denoise, FIRST, grid, noise=lambda *_: next(draws))
    assert_same(step.x, x)


class TestRealDifferences:
    """What their schedulers do otherwise. Each shows that it does make a difference."""

    def test_dpmpp_3m_weights_the_curvature_wrongly(self, scheduler_of):
        """With the sign of one half wrong too, it adds -1 times it in ever smaller steps, not 0."""
        scheduler = multistep(scheduler_of, 3, "heun", {"timestep_spacing": "trailing"})
        grid, x, end = of_unit_variance(scheduler, noisy=True)
        assert_different(ours(dpmpp_3m_sde, grid, x), end)

    def test_sa_solver_weights_the_slope_of_two_estimates_at_the_midpoint(self, scheduler_of):
        """k h^2 / 2 for the exact integral, whose first term it is: too much in long steps."""
        scheduler = sa(scheduler_of, 2, 2, lambda t: 1.0)
        grid, x, end = of_unit_variance(scheduler)
        assert_different(ours(sa_solver, grid, x, s_tmin=0, s_tmax=math.inf), end)

    def test_edm_euler_calls_the_model_before_adding_noise(self, scheduler_of):
        """It takes what the model says of x at sigma for what it says of x_hat at sigma_hat.

        Its steps are Euler's, and so is ours where it ends at 0.
        """
        sigma, churn = 3.0, 0.3
        hat, eps = sigma * (1 + churn), DRAWS[0].double()
        x_hat = FIRST * sigma + math.sqrt(hat**2 - sigma**2) * eps
        x = ours(edm_stochastic, SigmaGrid([sigma, 0.0], "ve"), FIRST * sigma, s_churn=churn)
        ends = []
        for x_in, at in [(FIRST * sigma, sigma), (x_hat, hat)]:
            scheduler = scheduler_of("edm_euler", "EDMEulerScheduler")
            scheduler.set_timesteps(1)
            scheduler.sigmas = torch.tensor([sigma, 0.0])
            scheduler.scale_model_input(x_in, scheduler.timesteps[0])
            skip, out = 0.25 / (at**2 + 0.25), at * 0.5 / math.hypot(at, 0.5)
            output = (x0_of(x_in, at) - skip * x_in) / out
            step = scheduler.step(output, scheduler.timesteps[0], FIRST * sigma, s_churn=churn)
            ends.append(step.prev_sample)
        assert_different(x, ends[0])
        assert_same(x, ends[1])

    def test_lcm_scales_the_estimate_at_its_last_times(self, scheduler_of):
        """Theirs mixes in (0.5 / 10 t)^2 of x so that t = 0 changes nothing: 3e-3 at t = 1."""
        scheduler = scheduler_of("lcm", "LCMScheduler")
        for t, least, most in [(1, 2e-3, 3e-3), (19, 0, 1e-5)]:
            skip, out = scheduler.get_scalings_for_boundary_condition_discrete(t)
            assert least <= skip <= most
            assert 1 - most <= out <= 1
