import pytest
import torch

from latelier.diffusion.processes.kinds import process_from
from latelier.training.configs.loss import EdmWeight, MinSnrWeight, UniformWeight, VelocityWeight
from latelier.training.prediction.targets import error_ratio, output_ratio
from latelier.training.prediction.weights import weigh_levels, weigh_x0

# at level 1/4 alpha is 3 sigma, so SNR is 9
QUARTER = torch.tensor([0.25], dtype=torch.float64)
RATIOS = {"eps": 3.0, "x0": 1.0, "v": 10**0.5, "flow": 4.0}


def flow(prediction):
    return process_from({"kind": "rectified_flow", "prediction": prediction})


def vp(prediction):
    return process_from({"kind": "vp", "prediction": prediction})


@pytest.mark.parametrize("space", RATIOS)
def test_an_error_of_x0_is_worth_a_known_factor_in_each_space(space):
    assert error_ratio(space, QUARTER).item() == pytest.approx(RATIOS[space])
    assert output_ratio(flow(space), QUARTER).item() == pytest.approx(RATIOS[space])
    # the same level in the 've' frame
    assert output_ratio(vp(space), QUARTER / 0.75).item() == pytest.approx(RATIOS[space])


def test_the_output_of_edm_is_worth_the_inverse_of_c_out():
    sigma, data = 0.8, 0.5
    process = process_from({"kind": "edm", "sigma_data": data})
    c_out = sigma * data / (sigma**2 + data**2) ** 0.5
    ratio = output_ratio(process, torch.tensor([sigma], dtype=torch.float64))
    assert ratio.item() == pytest.approx(1 / c_out)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (UniformWeight(space="x0"), 1.0),
        (UniformWeight(space="eps"), 9.0),
        (UniformWeight(space="v"), 10.0),
        (UniformWeight(space="flow"), 16.0),
        (MinSnrWeight(gamma=5), 5.0),
        (MinSnrWeight(gamma=20), 9.0),
        (EdmWeight(sigma_data=1.0), 10.0),  # s = 1/3: (1/9 + 1) / (1/9)
        (EdmWeight(sigma_data=0.5), 13.0),  # (1/9 + 1/4) / (1/36)
        (VelocityWeight(), 16.0),
        (VelocityWeight(clip=0.5), 4.0),
    ],
)
def test_weights_of_the_error_of_x0(weight, expected):
    assert weigh_x0(weight, QUARTER).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [("eps", 5 / 9), ("x0", 5.0), ("v", 5 / 10), ("flow", 5 / 16)],
)
def test_min_snr_weighs_each_prediction_as_published(prediction, expected):
    for process, sigma in ((flow(prediction), QUARTER), (vp(prediction), QUARTER / 0.75)):
        assert weigh_levels(MinSnrWeight(), process, sigma).item() == pytest.approx(expected)


def test_a_uniform_weight_in_the_space_of_the_network_is_exactly_one():
    sigma = torch.tensor([0.1, 0.9], dtype=torch.float64)
    assert weigh_levels(UniformWeight(), flow("v"), sigma).tolist() == [1, 1]
    same = weigh_levels(UniformWeight(space="v"), flow("v"), sigma)
    assert same.tolist() == pytest.approx([1, 1])


def test_an_edm_process_has_its_weight_already():
    process = process_from({"kind": "edm", "sigma_data": 0.5})
    sigma = torch.tensor([0.01, 0.5, 40.0], dtype=torch.float64)
    weights = weigh_levels(EdmWeight(sigma_data=0.5), process, sigma)
    assert weights.tolist() == pytest.approx([1, 1, 1])


def test_the_velocity_weight_is_constant_below_its_clip():
    sigma = torch.tensor([0.001, 0.05, 0.1], dtype=torch.float64)
    weights = weigh_levels(VelocityWeight(), flow("x0"), sigma)
    assert weights.tolist() == pytest.approx([400, 400, 100])


@pytest.mark.parametrize("space", RATIOS)
@pytest.mark.parametrize("prediction", RATIOS)
def test_the_weighted_error_is_the_error_of_the_other_prediction(prediction, space):
    generator = torch.Generator().manual_seed(0)
    x0, eps, output = (torch.randn(1, 2, 3, 3, generator=generator).double() for _ in range(3))
    mine, other = vp(prediction), vp(space)
    sigma = torch.tensor([1.7], dtype=torch.float64)
    x = mine.noised(x0, eps, sigma)
    weight = weigh_levels(UniformWeight(space=space), mine, sigma)
    weighted = weight * (output - mine.target(x0, eps, sigma)).square().mean()
    # the same estimate of x0, and the noise that goes with it, as the other prediction
    estimate = mine.denoised(output, x, sigma)
    prediction_of_other = other.target(estimate, (x - estimate) / sigma, sigma)
    expected = (prediction_of_other - other.target(x0, eps, sigma)).square().mean()
    assert weighted.item() == pytest.approx(expected.item())
