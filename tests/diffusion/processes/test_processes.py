"""What holds for every noise process, whatever its prediction."""

import pytest
import torch

from latelier.contracts import frames
from latelier.contracts.errors import InvalidConfigError
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.kinds import process_from
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP

PROCESSES = [
    *(VP(prediction=kind) for kind in ("eps", "x0", "v", "flow")),
    *(VP(prediction=kind, zero_terminal_snr=True) for kind in ("x0", "v", "flow")),
    *(RectifiedFlow(prediction=kind) for kind in ("eps", "x0", "v", "flow")),
    EDM(),
    EDM(sigma_data=1.0),
]


@pytest.fixture(params=PROCESSES, ids=lambda p: f"{p.kind}-{p.frame}-{p.prediction}")
def process(request):
    return request.param


def random(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 2, 4, 4, generator=generator, dtype=torch.float64)


def levels(process):
    """Return sigmas from the lowest to the highest; short of pure noise where eps is predicted."""
    low, high = process.sigma_min, process.sigma_max
    if process.prediction == "eps" and process.frame == "flow":
        high = 0.999
    return [low, (low * high) ** 0.5, high]


def test_denoised_undoes_target(process):
    x0, eps = random(0), random(1)
    for sigma in levels(process):
        x = process.noised(x0, eps, sigma)
        output = process.target(x0, eps, sigma)
        torch.testing.assert_close(process.denoised(output, x, sigma), x0, rtol=1e-9, atol=1e-9)


def test_sigma_may_differ_per_image(process):
    x0, eps = random(0), random(1)
    sigmas = torch.tensor(levels(process), dtype=torch.float64)
    x = process.noised(x0, eps, sigmas)
    target = process.target(x0, eps, sigmas)
    estimate = process.denoised(target, x, sigmas)
    times = process.timestep(sigmas)
    for k, sigma in enumerate(levels(process)):
        one = slice(k, k + 1)
        torch.testing.assert_close(x[one], process.noised(x0[one], eps[one], sigma))
        torch.testing.assert_close(target[one], process.target(x0[one], eps[one], sigma))
        torch.testing.assert_close(estimate[one], process.denoised(target[one], x[one], sigma))
        assert times[k].item() == pytest.approx(process.timestep(sigma).item(), rel=1e-6, abs=1e-4)


def test_noised_is_alpha_x0_plus_sigma_eps(process):
    x0, eps = random(0), random(1)
    for sigma in levels(process):
        expected = frames.alpha(process.frame, sigma) * x0 + sigma * eps
        torch.testing.assert_close(process.noised(x0, eps, sigma), expected)


def test_timestep_and_sigma_are_inverse(process):
    for sigma in levels(process):
        t = process.timestep(sigma)
        assert (t.dtype, t.shape) == (torch.float32, ())
        assert process.sigma(t.item()) == pytest.approx(sigma, rel=1e-4)


@pytest.mark.parametrize(
    "process",
    [VP(), VP(zero_terminal_snr=True, prediction="v"), RectifiedFlow()],
    ids=["vp", "zero-snr", "flow"],
)
def test_the_first_state_has_the_scale_of_noised_unit_variance_latents(process):
    noise = torch.randn(1, 1, 300, 300, generator=torch.Generator().manual_seed(0)).double()
    for sigma in levels(process):
        expected = (frames.alpha(process.frame, sigma) ** 2 + sigma**2) ** 0.5
        std = process.initial(noise, sigma).std() / noise.std()
        assert std.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    "process", [VP(), VP(zero_terminal_snr=True, prediction="v")], ids=["vp", "zero-snr"]
)
def test_a_vp_model_receives_unit_variance(process):
    for sigma in levels(process):
        variance = frames.alpha(process.frame, sigma) ** 2 + sigma**2
        assert variance**0.5 * process.input_scale(sigma) == pytest.approx(1)


def test_finish_rescales_to_the_scale_of_the_model():
    process = VP()
    signal = 0.9985**0.5
    x = torch.tensor([2.0], dtype=torch.float64)
    assert process.finish(x, process.sigmas[0]).item() == pytest.approx(2 * signal)
    assert torch.equal(process.finish(x, 0.0), x)


def test_rectified_flow_counts_t_in_steps():
    process = RectifiedFlow(steps=500)
    assert process.timestep(0.5).item() == 250
    assert process.sigma(250) == 0.5
    assert process.sigma_min == 1 / 500


def test_a_process_is_read_by_its_kind(process):
    assert process_from(process.model_dump()) == process


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "vpp"}, "no kind 'vpp'. Did you mean 'vp'"),
        ({}, "no kind ''"),
        ({"kind": "vp", "beta_strat": 0.1}, "no field 'beta_strat'. Did you mean 'beta_start'"),
        ({"kind": "edm", "sigma_data": 0.0}, "'sigma_data'"),
    ],
)
def test_an_invalid_process_is_refused(values, message):
    with pytest.raises(InvalidConfigError, match=message):
        process_from(values)
