"""Against diffusers' schedulers: the same sigmas, first state and model give the same x.

The model is a small nonlinear one of (x, t), evaluated in float64 through `Predictor` and a
process. Sigmas are the scheduler's own, which it keeps in float32; it casts x to float32 in each
step too, hence 1e-5 and not 1e-12. Real differences have tests of their own at the end.
"""

from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier_samplers.ddim import ddim
from latelier_samplers.ddim_inversion import ddim_inversion
from latelier_samplers.ddpm import ddpm
from latelier_samplers.deis import deis
from latelier_samplers.dpm2 import dpm2
from latelier_samplers.dpmpp_2m import dpmpp_2m
from latelier_samplers.heun import heun
from latelier_samplers.ipndm import ipndm
from latelier_samplers.lms import lms
from latelier_samplers.plms import plms
from latelier_samplers.schedules.compvis import compvis
from latelier_samplers.schedules.karras import karras
from latelier_samplers.schedules.model import model
from latelier_samplers.unipc import unipc

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning"),
]

BETAS = {"beta_start": 0.0015, "beta_end": 0.0195, "beta_schedule": "scaled_linear"}
KINDS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
SHAPE = (2, 4, 8, 8)


@pytest.fixture(scope="module")
def diffusers():
    import diffusers  # slow: not at collection

    return diffusers


class Model:
    """Mixes the channels by a fixed matrix; depends on t or not."""

    config = DenoiserConfig()

    def __init__(self, timed):
        generator = torch.Generator().manual_seed(1)
        self.mix = torch.randn(4, 4, generator=generator, dtype=torch.float64) / 2
        self.timed = timed

    def __call__(self, x, t, condition=None, control=None):
        assert x.dtype == torch.float64
        bend = 1 + 0.5 * torch.cos(t.double() / 20) if self.timed else torch.ones(1)
        mixed = torch.einsum("ij,bjhw->bihw", self.mix, x)
        return torch.tanh(mixed * bend.view(-1, 1, 1, 1))


@pytest.fixture(params=[False, True], ids=["t-independent", "t-dependent"])
def network(request):
    return Model(request.param)


def first_noise(dtype=torch.float64):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(2), dtype=dtype)


def theirs(scheduler, network, x):
    for t in scheduler.timesteps:
        scaled = x
        if hasattr(scheduler, "scale_model_input"):
            scaled = scheduler.scale_model_input(x, t)
        output = network(scaled.double(), t.expand(len(x)))
        x = scheduler.step(output, t, x).prev_sample
    return x


def ours(sampler, network, process, grid, x, noise=None, **options):
    predictor = Predictor(network, process, torch.float64)

    def denoise(x, sigma):
        return predictor(x, sigma, [Condition({}, {}, {})])[0]

    *_, step = run_sampler(sampler, denoise, x, grid, noise, **options)
    return step.x


def vp(prediction, options):
    """Return the process whose t is whole where the scheduler's is."""
    rounding = "interpolate" if "use_karras_sigmas" in options else "nearest"
    return VP(prediction=KINDS[prediction], timestep_rounding=rounding)


def grid_of(scheduler, frame="ve"):
    """Return the scheduler's sigmas; those for Heun's method are listed twice there."""
    return SigmaGrid(dict.fromkeys(scheduler.sigmas.tolist()), frame)


def assert_same(x, reference):
    assert (x - reference).norm() / reference.norm() < 1e-5


def in_float64(ddim_scheduler):
    ddim_scheduler.alphas_cumprod = ddim_scheduler.alphas_cumprod.double()
    ddim_scheduler.final_alpha_cumprod = ddim_scheduler.final_alpha_cumprod.double()
    return ddim_scheduler


def with_double_sigmas(scheduler, steps=20):
    scheduler.set_timesteps(steps)
    scheduler.sigmas = scheduler.sigmas.double()
    return scheduler


def ddim_grid(scheduler, frame):
    abar = torch.stack(
        [*scheduler.alphas_cumprod[scheduler.timesteps], scheduler.final_alpha_cumprod]
    )
    signal, noise = abar.sqrt(), (1 - abar).sqrt()
    return SigmaGrid((noise / (signal if frame == "ve" else signal + noise)).tolist(), frame)


@pytest.mark.parametrize("prediction", KINDS)
@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize(
    "options",
    [
        {"timestep_spacing": "leading", "steps_offset": 1, "set_alpha_to_one": False},
        {"timestep_spacing": "trailing"},
    ],
    ids=["paper", "trailing"],
)
def test_ddim_equals_diffusers(diffusers, network, prediction, eta, options):
    scheduler = in_float64(
        diffusers.DDIMScheduler(**BETAS, **options, prediction_type=prediction, clip_sample=False)
    )
    scheduler.set_timesteps(20)
    process, grid = vp(prediction, options), ddim_grid(scheduler, "ve")
    draws = torch.randn(20, *SHAPE, generator=torch.Generator().manual_seed(3))
    pending, mine = iter(draws.double()), iter(draws)
    x = reference = first_noise()
    for t in scheduler.timesteps:
        output = network(reference, t.expand(2))
        noise = next(pending) if eta else None
        step = scheduler.step(output, t, reference, eta=eta, variance_noise=noise)
        reference = step.prev_sample
    x = process.initial(x, grid.sigmas[0])
    x = ours(ddim, network, process, grid, x, noise=lambda sigma, to: next(mine), eta=eta)
    assert_same(process.finish(x, grid.sigmas[-1]), reference)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_ddim_with_zero_terminal_snr_equals_diffusers(diffusers, network, eta):
    scheduler = in_float64(
        diffusers.DDIMScheduler(
            **BETAS,
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
            prediction_type="v_prediction",
            clip_sample=False,
        )
    )
    scheduler.set_timesteps(20)
    process = VP(prediction="v", zero_terminal_snr=True)
    grid = ddim_grid(scheduler, "flow")
    assert grid.sigmas[0] == pytest.approx(1, abs=1e-6)
    draws = torch.randn(20, *SHAPE, generator=torch.Generator().manual_seed(3))
    pending, mine = iter(draws.double()), iter(draws)
    reference = first_noise()
    x = process.initial(reference, grid.sigmas[0])
    for t in scheduler.timesteps:
        output = network(reference, t.expand(2))
        noise = next(pending) if eta else None
        step = scheduler.step(output, t, reference, eta=eta, variance_noise=noise)
        reference = step.prev_sample
    x = ours(ddim, network, process, grid, x, noise=lambda sigma, to: next(mine), eta=eta)
    assert_same(x, reference)


@pytest.mark.parametrize("prediction", KINDS)
@pytest.mark.parametrize(("kind", "variance"), [("fixed_small", 0.0), ("fixed_large", 1.0)])
def test_ddpm_equals_diffusers(diffusers, network, prediction, kind, variance, monkeypatch):
    scheduler = diffusers.DDPMScheduler(
        **BETAS, variance_type=kind, prediction_type=prediction, clip_sample=False
    )
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.set_timesteps(20)
    process, grid = vp(prediction, {}), model(20, VP(), spacing="leading")
    assert scheduler.timesteps.tolist() == [process.timestep(s).item() for s in grid.sigmas[:-1]]
    draws = torch.randn(20, *SHAPE, generator=torch.Generator().manual_seed(3))
    pending, mine = iter(draws.double()), iter(draws)
    monkeypatch.setattr(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, **__: next(pending)
    )
    x = process.initial(first_noise(), grid.sigmas[0])
    x = ours(ddpm, network, process, grid, x, noise=lambda sigma, to: next(mine), variance=variance)
    assert_same(x, theirs(scheduler, network, first_noise()))


@pytest.mark.parametrize("steps", [2, 4, 10, 20])
def test_plms_equals_diffusers(diffusers, network, steps):
    """Of a model of eps. Of one of v theirs combines several v, which the paper does not have."""
    scheduler = diffusers.PNDMScheduler(
        **BETAS,
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.final_alpha_cumprod = scheduler.final_alpha_cumprod.double()
    scheduler.set_timesteps(steps)
    process, grid = VP(), compvis(steps, VP())
    x = process.initial(first_noise(), grid.sigmas[0])
    x = ours(plms, network, process, grid, x)
    assert_same(process.finish(x, grid.sigmas[-1]), theirs(scheduler, network, first_noise()))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(
    "options",
    [
        {"timestep_spacing": "leading", "steps_offset": 1},
        {"timestep_spacing": "trailing"},
        {"use_karras_sigmas": True},
        {"timestep_spacing": "leading", "steps_offset": 1, "final_sigmas_type": "sigma_min"},
    ],
    ids=["leading", "trailing", "karras", "sigma_min"],
)
def test_euler_equals_diffusers(diffusers, network, prediction, options):
    scheduler = diffusers.EulerDiscreteScheduler(**BETAS, **options, prediction_type=prediction)
    scheduler.set_timesteps(20)
    process, grid = vp(prediction, options), grid_of(scheduler)
    x = process.initial(first_noise(), grid.sigmas[0])
    assert_same(ours(ddim, network, process, grid, x), theirs(scheduler, network, x))


@pytest.mark.parametrize("prediction", KINDS)
@pytest.mark.parametrize(
    "options",
    [{"timestep_spacing": "trailing"}, {"use_karras_sigmas": True}],
    ids=["trailing", "karras"],
)
def test_heun_equals_diffusers(diffusers, network, prediction, options):
    scheduler = diffusers.HeunDiscreteScheduler(**BETAS, **options, prediction_type=prediction)
    scheduler.set_timesteps(20)
    process, grid = vp(prediction, options), grid_of(scheduler)
    assert grid.steps == 20
    x = process.initial(first_noise(), grid.sigmas[0])
    assert_same(ours(heun, network, process, grid, x), theirs(scheduler, network, x))


@pytest.mark.parametrize("prediction", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {"timestep_spacing": "trailing"},
        {"timestep_spacing": "leading", "steps_offset": 1},
        {"timestep_spacing": "linspace"},
        {"use_karras_sigmas": True},
        {"timestep_spacing": "leading", "steps_offset": 1, "final_sigmas_type": "sigma_min"},
    ],
    ids=["trailing", "leading", "linspace", "karras", "sigma_min"],
)
def test_dpmpp_2m_equals_diffusers(diffusers, network, prediction, options):
    scheduler = diffusers.DPMSolverMultistepScheduler(
        **BETAS,
        **options,
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        lower_order_final=False,
        prediction_type=prediction,
    )
    scheduler.set_timesteps(20)
    # This scheduler rounds t with Karras' sigmas too, unlike Euler's and Heun's.
    process = VP(prediction=KINDS[prediction], timestep_rounding="nearest")
    grid, noise = grid_of(scheduler), first_noise()
    x = process.initial(noise, grid.sigmas[0])
    x = ours(dpmpp_2m, network, process, grid, x)
    assert_same(process.finish(x, grid.sigmas[-1]), theirs(scheduler, network, noise))


def test_dpmpp_2m_flow_equals_diffusers(diffusers, network):
    scheduler = diffusers.DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    scheduler.set_timesteps(20)
    # The scheduler cuts t to whole numbers; its sigmas are not cut.
    scheduler.timesteps = (scheduler.sigmas[:-1] * 1000).double()
    process, grid = RectifiedFlow(), grid_of(scheduler, "flow")
    x = first_noise()
    assert_same(ours(dpmpp_2m, network, process, grid, x), theirs(scheduler, network, x))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_match_euler_equals_diffusers(diffusers, network, shift):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(20)
    grid, x = grid_of(scheduler, "flow"), first_noise()
    assert grid.sigmas[0] == 1
    assert_same(ours(ddim, network, RectifiedFlow(), grid, x), theirs(scheduler, network, x))


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_match_heun_equals_diffusers(diffusers, network, shift):
    scheduler = diffusers.FlowMatchHeunDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(20)
    grid, x = grid_of(scheduler, "flow"), first_noise()
    assert grid.steps == 20
    assert_same(ours(heun, network, RectifiedFlow(), grid, x), theirs(scheduler, network, x))


@pytest.mark.parametrize(
    "options",
    [{"timestep_spacing": "trailing"}, {"use_exponential_sigmas": True}],
    ids=["trailing", "exponential"],
)
def test_dpm2_equals_diffusers(diffusers, network, options):
    scheduler = diffusers.KDPM2DiscreteScheduler(**BETAS, **options, prediction_type="v_prediction")
    scheduler.set_timesteps(20)
    process, grid = VP(prediction="v"), grid_of(scheduler)
    assert grid.steps == 20
    x = process.initial(first_noise(), grid.sigmas[0])
    assert_same(ours(dpm2, network, process, grid, x), theirs(scheduler, network, x))


@pytest.fixture
def lms_scheduler(diffusers, monkeypatch):
    """Theirs needs scipy for one integral, and nothing else here does: numpy replaces it."""

    def quad(function, start, end, epsrel):
        points, weights = np.polynomial.legendre.leggauss(8)
        middle, half = (start + end) / 2, (end - start) / 2
        return half * sum(w * function(middle + half * p) for p, w in zip(points, weights)), 0

    module = import_module("diffusers.schedulers.scheduling_lms_discrete")
    monkeypatch.setattr(module, "integrate", SimpleNamespace(quad=quad), raising=False)
    return module.LMSDiscreteScheduler


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "options",
    [{"timestep_spacing": "trailing"}, {"use_karras_sigmas": True}],
    ids=["trailing", "karras"],
)
def test_lms_equals_diffusers(lms_scheduler, network, options, order):
    scheduler = lms_scheduler(**BETAS, **options, prediction_type="v_prediction")
    with_double_sigmas(scheduler)
    process, grid = vp("v_prediction", options), grid_of(scheduler)
    x = reference = process.initial(first_noise(), grid.sigmas[0])
    for t in scheduler.timesteps:
        output = network(scheduler.scale_model_input(reference, t), t.expand(2))
        reference = scheduler.step(output, t, reference, order=order).prev_sample
    assert_same(ours(lms, network, process, grid, x, order=order), reference)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_deis_equals_diffusers(diffusers, network, spacing, order):
    scheduler = diffusers.DEISMultistepScheduler(
        **BETAS,
        timestep_spacing=spacing,
        steps_offset=1 if spacing == "leading" else 0,
        solver_order=order,
        prediction_type="v_prediction",
    )
    with_double_sigmas(scheduler)
    if spacing == "trailing":
        # The last t is 0 already, and their last sigma that of 0: a step of no length.
        scheduler.sigmas[-1] = 0.03
    process = VP(prediction="v", timestep_rounding="nearest")
    grid, noise = grid_of(scheduler), first_noise()
    x = process.initial(noise, grid.sigmas[0])
    x = ours(deis, network, process, grid, x, order=order)
    assert_same(process.finish(x, grid.sigmas[-1]), theirs(scheduler, network, noise))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_deis_flow_equals_diffusers(diffusers, network, order):
    scheduler = diffusers.DEISMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, solver_order=order
    )
    with_double_sigmas(scheduler)
    scheduler.timesteps = scheduler.sigmas[:-1] * 1000  # theirs are cut to whole numbers
    scheduler.sigmas[-1] = 0.01  # the last step is of no length
    process, grid, x = RectifiedFlow(), grid_of(scheduler, "flow"), first_noise()
    x_to = ours(deis, network, process, grid, x, order=order)
    assert_same(x_to, theirs(scheduler, network, x))


TO_SIGMA_MIN = {"final_sigmas_type": "sigma_min", "lower_order_final": False}


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(
    ("options", "variant"),
    [
        ({"timestep_spacing": "trailing"}, "bh2"),
        ({"use_karras_sigmas": True}, "bh2"),
        ({"timestep_spacing": "leading", "steps_offset": 1, **TO_SIGMA_MIN}, "bh2"),
        ({"timestep_spacing": "leading", "steps_offset": 1, **TO_SIGMA_MIN}, "bh1"),
    ],
    ids=["trailing", "karras", "sigma_min", "sigma_min-bh1"],
)
def test_unipc_equals_diffusers(diffusers, network, options, order, variant):
    scheduler = diffusers.UniPCMultistepScheduler(
        **BETAS,
        **options,
        solver_order=order,
        solver_type=variant,
        prediction_type="v_prediction",
    )
    with_double_sigmas(scheduler)
    process = VP(prediction="v", timestep_rounding="nearest")
    grid, noise = grid_of(scheduler), first_noise()
    x = process.initial(noise, grid.sigmas[0])
    x = ours(unipc, network, process, grid, x, order=order, variant=variant)
    assert_same(process.finish(x, grid.sigmas[-1]), theirs(scheduler, network, noise))


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("final", "variant"), [(0, "bh2"), (0.01, "bh2"), (0.01, "bh1")])
def test_unipc_flow_equals_diffusers(diffusers, network, order, variant, final):
    """Theirs begins a millionth below pure noise."""
    scheduler = diffusers.UniPCMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=3.0,
        solver_order=order,
        solver_type=variant,
        lower_order_final=final == 0,
    )
    with_double_sigmas(scheduler)
    scheduler.timesteps = scheduler.sigmas[:-1] * 1000  # theirs are cut to whole numbers
    scheduler.sigmas[-1] = final
    process, grid, x = RectifiedFlow(), grid_of(scheduler, "flow"), first_noise()
    x_to = ours(unipc, network, process, grid, x, order=order, variant=variant)
    assert_same(x_to, theirs(scheduler, network, x))


@pytest.mark.parametrize("steps", [1, 3, 4, 12])
def test_ipndm_equals_diffusers(diffusers, steps):
    """A model of v; theirs knows sines (of the noise) and cosines, and t between 0 and 1."""
    scheduler = diffusers.IPNDMScheduler()
    scheduler.set_timesteps(steps)
    sines = torch.linspace(0.99, 0, steps + 1, dtype=torch.float64)
    scheduler.betas, scheduler.alphas = sines, (1 - sines**2).sqrt()
    grid = SigmaGrid((sines / scheduler.alphas).tolist(), "ve")
    process, network, noise = VP(prediction="v"), Model(timed=False), first_noise()
    x = process.initial(noise, grid.sigmas[0])
    assert_same(ours(ipndm, network, process, grid, x), theirs(scheduler, network, noise))


def inverse_scheduler(diffusers, **options):
    scheduler = diffusers.DDIMInverseScheduler(
        **BETAS, **options, timestep_spacing="leading", steps_offset=1, clip_sample=False
    )
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    scheduler.initial_alpha_cumprod = scheduler.initial_alpha_cumprod.double()
    scheduler.set_timesteps(20)
    return scheduler


def inverted(network, process, final):
    grid = model(20, process, spacing="leading", offset=1, final=final)
    x = first_noise() / process.input_scale(grid.sigmas[-1])
    return process.finish(ours(ddim_inversion, network, process, grid, x), grid.sigmas[0])


@pytest.mark.parametrize("final", ["first", "zero"])
def test_ddim_inversion_equals_diffusers(diffusers, network, final):
    scheduler = inverse_scheduler(diffusers, set_alpha_to_one=final == "zero")
    process = VP(timestep_rounding="nearest")
    assert_same(inverted(network, process, final), theirs(scheduler, network, first_noise()))


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
def test_step_lists_equal_diffusers(diffusers, spacing):
    scheduler, process = diffusers.DDIMScheduler(timestep_spacing=spacing), VP()
    for steps in [*range(1, 70), 96, 100, 101, 176, 250, 333, 334, 500, 999, 1000]:
        scheduler.set_timesteps(steps)
        expected = scheduler.timesteps.tolist()
        if (spacing, steps) == ("linspace", 1):
            expected = [999]  # theirs is step 0: no noise at all to begin with
        if spacing == "trailing":
            expected = expected[:steps]  # theirs has 62 steps for 61 requested
        grid = model(steps, process, spacing=spacing)
        assert [process.timestep(sigma).item() for sigma in grid.sigmas[:-1]] == expected


def test_karras_sigmas_equal_diffusers(diffusers):
    scheduler = diffusers.EulerDiscreteScheduler(**BETAS, use_karras_sigmas=True)
    scheduler.set_timesteps(20)
    # Theirs come from float32 alphas: 4e-5 off where 1 - alpha is small.
    assert karras(20, VP()).sigmas == pytest.approx(scheduler.sigmas.tolist(), rel=1e-4)


def test_flow_match_sigmas_equal_diffusers(diffusers):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(28)
    grid = model(28, RectifiedFlow(), spacing="linspace")
    assert grid.sigmas == pytest.approx(scheduler.sigmas.tolist(), abs=1e-6)


class TestRealDifferences:
    """What their schedulers do otherwise. Each shows that it does make a difference."""

    def test_ddim_steps_by_its_stride_instead_of_its_list(self, diffusers):
        """Its previous t is t - T // S, which is not in the list where S does not divide T."""
        scheduler = in_float64(
            diffusers.DDIMScheduler(**BETAS, timestep_spacing="trailing", clip_sample=False)
        )
        scheduler.set_timesteps(30)
        listed = scheduler.timesteps.tolist()
        assert any(t - 1000 // 30 != following for t, following in pairwise(listed))
        process, grid, network = VP(), ddim_grid(scheduler, "ve"), Model(timed=False)
        x = process.initial(first_noise(), grid.sigmas[0])
        x = ours(ddim, network, process, grid, x)
        reference = theirs(scheduler, network, first_noise())
        assert (x - reference).norm() / reference.norm() > 1e-3

    def test_euler_linspace_takes_sigma_linear_in_t(self, diffusers):
        """Ours is linear in log(sigma): at its sigmas our t is another, by 0.03 at most."""
        scheduler = diffusers.EulerDiscreteScheduler(**BETAS, timestep_spacing="linspace")
        scheduler.set_timesteps(20)
        process, grid, network = VP(), grid_of(scheduler), Model(timed=True)
        x = process.initial(first_noise(), grid.sigmas[0])
        reference = theirs(scheduler, network, x)
        t_of = dict(zip(grid.sigmas, scheduler.timesteps.tolist()))
        mine = {s: process.timestep(s).item() for s in grid.sigmas[:-1]}
        assert 1e-3 < max(abs(mine[s] - t_of[s]) for s in mine) < 0.1

        class TheirTimes(VP):
            def timestep(self, sigma):
                return torch.tensor(t_of[sigma])

        assert_same(ours(ddim, network, TheirTimes(), grid, x), reference)

    def test_dpmpp_2m_flow_truncates_t(self, diffusers):
        scheduler = diffusers.DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True
        )
        scheduler.set_timesteps(30)
        exact = scheduler.sigmas[:-1].double() * 1000
        assert (exact - scheduler.timesteps).abs().max() > 0.5

    def test_rounding_t_changes_the_result(self, diffusers):
        scheduler = diffusers.DPMSolverMultistepScheduler(**BETAS, use_karras_sigmas=True)
        scheduler.set_timesteps(20)
        grid, network = grid_of(scheduler), Model(timed=True)
        ends = []
        for rounding in ("nearest", "interpolate"):
            process = VP(prediction="v", timestep_rounding=rounding)
            x = process.initial(first_noise(), grid.sigmas[0])
            ends.append(ours(dpmpp_2m, network, process, grid, x))
        assert (ends[0] - ends[1]).norm() / ends[0].norm() > 1e-4

    def test_unipc_lowers_its_order_before_any_last_sigma(self, diffusers):
        """It has to before sigma 0. Before another it makes the last step Euler's, for nothing."""
        options = {"timestep_spacing": "leading", "final_sigmas_type": "sigma_min"}
        process, network = VP(timestep_rounding="nearest"), Model(timed=True)
        ends = []
        for lower in (True, False):
            scheduler = diffusers.UniPCMultistepScheduler(
                **BETAS, **options, steps_offset=1, solver_order=3, lower_order_final=lower
            )
            with_double_sigmas(scheduler)
            ends.append(theirs(scheduler, network, first_noise()))
        grid = grid_of(scheduler)
        x = process.initial(first_noise(), grid.sigmas[0])
        x = process.finish(ours(unipc, network, process, grid, x, order=3), grid.sigmas[-1])
        assert_same(x, ends[1])
        assert (x - ends[0]).norm() / x.norm() > 1e-4

    def test_unipc_with_bh1_ends_in_nan_at_sigma_0(self, diffusers):
        """There h is infinite, and their B(h) with it. Ours takes the newest estimate."""
        scheduler = diffusers.UniPCMultistepScheduler(**BETAS, solver_type="bh1")
        with_double_sigmas(scheduler)
        process, network = VP(timestep_rounding="nearest"), Model(timed=True)
        grid = grid_of(scheduler)
        assert grid.sigmas[-1] == 0
        assert theirs(scheduler, network, first_noise()).isnan().all()
        x = process.initial(first_noise(), grid.sigmas[0])
        assert ours(unipc, network, process, grid, x, variant="bh1").isfinite().all()

    def test_deis_lowers_its_order_below_15_steps(self, diffusers):
        """Though it never goes to sigma 0."""
        process, network = VP(timestep_rounding="nearest"), Model(timed=True)
        ends = []
        for lower in (True, False):
            scheduler = diffusers.DEISMultistepScheduler(
                **BETAS, solver_order=3, lower_order_final=lower
            )
            with_double_sigmas(scheduler, 10)
            ends.append(theirs(scheduler, network, first_noise()))
        grid = grid_of(scheduler)
        x = process.initial(first_noise(), grid.sigmas[0])
        x = process.finish(ours(deis, network, process, grid, x, order=3), grid.sigmas[-1])
        assert_same(x, ends[1])
        assert (x - ends[0]).norm() / x.norm() > 1e-4

    def test_deis_ends_with_a_zero_length_step(self, diffusers):
        """With Karras' sigmas the last stands there twice: one call of the model is for nothing."""
        scheduler = diffusers.DEISMultistepScheduler(**BETAS, use_karras_sigmas=True)
        scheduler.set_timesteps(20)
        assert scheduler.sigmas[-1] == scheduler.sigmas[-2] > 0
        assert len(scheduler.timesteps) == grid_of(scheduler).steps + 1

    def test_ipndm_ignores_the_model_at_pure_noise(self, diffusers):
        """A combination of eps, which there is x itself, says nothing of x0."""
        x, ends = first_noise(), []
        for output in (x, -x):
            scheduler = diffusers.IPNDMScheduler()
            scheduler.set_timesteps(10)
            assert scheduler.betas[0] == 1
            ends.append(scheduler.step(output, scheduler.timesteps[0], x))
        torch.testing.assert_close(ends[0].prev_sample, ends[1].prev_sample)
        grid = SigmaGrid([1.0, 0.9, 0.8], "flow")
        mine = [next(ipndm(lambda x, sigma, x0=x0: x0, x, grid)).x for x0 in (x, -x)]
        assert (mine[0] - mine[1]).abs().max() > 0.1

    @pytest.mark.parametrize("prediction", ["v_prediction", "sample"])
    def test_inverse_ddim_converts_v_and_x0_at_a_different_t(self, diffusers, prediction):
        """The model is asked at the t to come, and its answer read at that of x: for eps alone that
        makes no difference."""
        scheduler = inverse_scheduler(diffusers, set_alpha_to_one=False, prediction_type=prediction)
        process = VP(prediction=KINDS[prediction], timestep_rounding="nearest")
        reference = theirs(scheduler, Model(timed=True), first_noise())
        x = inverted(Model(timed=True), process, "first")
        assert (x - reference).norm() / reference.norm() > 1e-3
