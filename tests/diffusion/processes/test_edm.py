"""The formulas of Karras et al. 2022 (arXiv:2206.00364), Table 1, last column."""

import math

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.edm import EDM


@pytest.fixture(params=[0.5, 1.0])
def process(request):
    return EDM(sigma_data=request.param)


@pytest.mark.parametrize("sigma", [0.002, 0.3, 1.0, 80.0])
def test_the_published_preconditioning(process, sigma):
    data = process.sigma_data
    c_skip = data**2 / (sigma**2 + data**2)
    c_out = sigma * data / math.sqrt(sigma**2 + data**2)
    c_in = 1 / math.sqrt(sigma**2 + data**2)
    c_noise = 0.25 * math.log(sigma)

    class Network:
        config = DenoiserConfig()

        def __call__(self, x, t, condition, control=None):
            self.x, self.t = x, t
            return torch.full_like(x, 0.7)

    network = Network()
    x = torch.full((2, 1, 2, 2), 1.3, dtype=torch.float64)
    predictor = Predictor(network, process, torch.float64)
    [x0] = predictor(x, sigma, [Condition()])
    assert network.x.flatten()[0].item() == pytest.approx(c_in * 1.3)
    assert network.t.tolist() == pytest.approx([c_noise] * 2, rel=1e-6)
    assert x0.flatten()[0].item() == pytest.approx(c_skip * 1.3 + c_out * 0.7)


def test_target_has_unit_variance(process):
    generator = torch.Generator().manual_seed(0)
    eps = torch.randn(4, 1, 100, 100, generator=generator)
    x0 = torch.randn(4, 1, 100, 100, generator=generator) * process.sigma_data
    for sigma in (0.01, 0.5, 20.0):
        assert process.target(x0, eps, sigma).std().item() == pytest.approx(1, abs=0.02)


def test_with_sigma_data_1_the_network_is_a_v_prediction_of_opposite_sign():
    process = EDM(sigma_data=1.0)
    x0, eps = torch.tensor([[[[0.4]]]]), torch.tensor([[[[-1.1]]]])
    r = math.hypot(1, 0.8)
    v = (1 * eps - 0.8 * x0) / r
    torch.testing.assert_close(process.target(x0, eps, 0.8), -v)


def test_timestep_and_sigma_are_inverse(process):
    for sigma in (0.002, 0.37, 80.0):
        assert process.sigma(process.timestep(sigma).item()) == pytest.approx(sigma, rel=1e-5)


def test_initial_scales_noise_by_sigma_and_finish_is_the_identity():
    noise = torch.ones(1, 1, 2, 2)
    assert torch.equal(EDM().initial(noise, 80.0), noise * 80)
    assert torch.equal(EDM().finish(noise, 0.002), noise)
