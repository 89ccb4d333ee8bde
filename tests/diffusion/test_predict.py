from types import SimpleNamespace

import pytest
import torch

from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import CompatibilityError
from latelier.diffusion.adapters import AdapterCalls, AdapterUse
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP


class Plain(DenoiserConfig):
    pass


class Masked(DenoiserConfig):
    @property
    def supports(self):
        return frozenset({"masks", "residuals"})


class Network:
    """Adds the mean of the tokens that count, a word of t, and the residual named 'mid'."""

    def __init__(self, config):
        self.config, self.rows, self.calls = config, [], []

    def __call__(self, x, t, condition, control=None):
        self.rows.append(len(x))
        self.calls.append((x, t, control))
        assert len(t) == len(x) == condition.batch
        stream = condition.streams["text"]
        counts = torch.ones(stream.tokens.shape[:2]) if stream.mask is None else stream.mask.float()
        text = (stream.tokens.float() * counts[..., None]).sum((1, 2)) / counts.sum(1)
        output = torch.tanh(x) + (text + torch.sin(t)).view(-1, 1, 1, 1)
        if control is not None:
            output = output + control.residuals["mid"].mean((1, 2, 3), keepdim=True)
        return output.to(x.dtype)


def condition(length, seed, rows=3, width=4):
    generator = torch.Generator().manual_seed(seed)
    return Condition(
        {"text": Stream(torch.randn(rows, length, width, generator=generator))}, {}, {}
    )


@pytest.fixture
def x():
    return torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[VP(prediction="v"), RectifiedFlow()], ids=["vp", "flow"])
def process(request):
    return request.param


def assert_each_as_alone(predictor, x, sigma, conditions, control=None):
    together = predictor(x, sigma, conditions, control)
    alone = [predictor(x, sigma, [each], control)[0] for each in conditions]
    assert len(together) == len(conditions)
    for estimate, single in zip(together, alone, strict=True):
        assert estimate.shape == x.shape
        torch.testing.assert_close(estimate, single, rtol=1e-6, atol=1e-6)
    assert (together[0] - together[1]).abs().max() > 1e-3


def test_batched_conditions_equal_separate_calls(x, process):
    network = Network(Plain())
    conditions = [condition(5, 1), condition(5, 2), condition(5, 3)]
    assert_each_as_alone(Predictor(network, process), x, 0.7, conditions)
    assert network.rows == [9, 3, 3, 3]


def test_unequal_lengths_are_padded_if_the_denoiser_supports_masks(x, process):
    network = Network(Masked())
    assert_each_as_alone(Predictor(network, process), x, 0.7, [condition(5, 1), condition(2, 2)])
    assert network.rows == [6, 3, 3]


def test_unequal_lengths_are_separate_calls_without_mask_support(x, process):
    network = Network(Plain())
    assert_each_as_alone(Predictor(network, process), x, 0.7, [condition(5, 1), condition(2, 2)])
    assert network.rows == [3, 3, 3, 3]


def test_sigma_may_differ_per_image(x, process):
    predictor = Predictor(Network(Plain()), process)
    sigmas = [0.2, 0.7, 0.9]
    conditions = [condition(5, 1), condition(5, 2)]
    together = predictor(x, torch.tensor(sigmas, dtype=torch.float64), conditions)
    for k, sigma in enumerate(sigmas):
        for estimate, single in zip(together, predictor(x, sigma, conditions), strict=True):
            torch.testing.assert_close(estimate[k], single[k], rtol=1e-5, atol=1e-5)


def test_residuals_are_repeated_for_every_condition(x, process):
    network = Network(Masked())
    residual = torch.randn(3, 8, 2, 2, generator=torch.Generator().manual_seed(4))
    control = Control(residuals={"mid": residual}, perturbed_attention=frozenset({"mid"}))
    predictor = Predictor(network, process)
    assert_each_as_alone(predictor, x, 0.7, [condition(5, 1), condition(5, 2)], control)
    given = network.calls[0][2]
    assert torch.equal(given.residuals["mid"], torch.cat([residual, residual]))
    assert given.perturbed_attention == {"mid"}
    assert network.calls[1][2] is control


def test_the_denoiser_receives_scaled_x_and_t(x, process):
    network = Network(Plain())
    Predictor(network, process, torch.bfloat16)(x, 0.7, [condition(5, 1)])
    x_in, t, control = network.calls[0]
    assert x_in.dtype == torch.bfloat16
    assert torch.equal(x_in, (x * process.input_scale(0.7)).bfloat16())
    assert t.dtype == torch.float32
    assert torch.equal(t, process.timestep(0.7).expand(3))
    assert control is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_estimates_are_computed_in_the_precision_of_x(x, process, dtype):
    said = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(5)).bfloat16()

    class Says(Network):
        def __call__(self, x, t, condition, control=None):
            return said

    x = x.to(dtype)
    [estimate] = Predictor(Says(Plain()), process, torch.bfloat16)(x, 0.7, [condition(5, 1)])
    assert torch.equal(estimate, process.denoised(said.to(dtype), x, 0.7))


def test_predict_returns_x0(process):
    """A network that knows the answer gives it back through the process."""
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 3, 2, 4, 4, generator=generator, dtype=torch.float64)

    class Knows(Network):
        def __call__(self, x, t, condition, control=None):
            return process.target(x0, eps, 0.7)

    x = process.noised(x0, eps, 0.7)
    [estimate] = Predictor(Knows(Plain()), process, torch.float64)(x, 0.7, [condition(5, 1)])
    torch.testing.assert_close(estimate, x0)


class Stage:
    def decode(self, latents):
        return latents * 2


def test_images_and_further_conditions_are_available(x):
    """Images are decoded in the denoiser's precision, and come in that of the latents."""
    values = []
    alone = Predictor(Network(Plain()), VP())
    run = Predictor(Network(Masked()), VP(), torch.bfloat16, Stage(), values.append)
    assert run.config.supports == {"masks", "residuals"}
    assert torch.equal(run.decode(x), (x.bfloat16() * 2).float())
    run.condition_for("a dog")
    assert values == ["a dog"]
    with pytest.raises(CompatibilityError, match=r"whole pictures.*without windows"):
        alone.decode(x)
    with pytest.raises(CompatibilityError, match="no public input"):
        alone.condition_for("a dog")


def test_every_call_has_the_adapters_and_their_scales_per_row(x):
    network = Network(Plain())
    uses = {"palette": AdapterUse("a module", 0.4), "sketch": AdapterUse("another", 0.5)}
    predict = Predictor(network, RectifiedFlow(), adapters=AdapterCalls(uses))
    mid, scales = {"mid": torch.ones(3, 2, 1, 1)}, torch.tensor([0.1, 0.2, 0.3])
    own = {"sketch": ScaledAdapter("another", scales)}
    predict(x, 0.7, [condition(5, 1)] * 2, Control(residuals=mid, adapters=own))
    control = network.calls[-1][2]
    assert vars(control.adapters["palette"]) == {"module": "a module", "scale": 0.4}
    assert torch.equal(control.adapters["sketch"].scale, scales.repeat(2))
    assert len(control.residuals["mid"]) == 6


def test_rows_of_other_sigmas_keep_their_scales_under_each_condition(x):
    """An adapter acts in the rows whose sigma is in its range, whichever condition they have."""
    residuals = SimpleNamespace(
        config=None, residuals=lambda x, *_: {"mid": torch.ones(len(x), 2, 1, 1)}
    )
    uses = {"edges": AdapterUse(residuals, 0.5, (0.2, 0.6))}
    predict = Predictor(Network(Plain()), RectifiedFlow(), adapters=AdapterCalls(uses))
    hint = Condition(spatial={"edges": torch.ones(3, 1, 4, 4)})
    conditions = [condition(5, seed).union(hint) for seed in (1, 2)]
    predict(x, torch.tensor([0.1, 0.5, 0.9]), conditions)
    control = predict.denoiser.calls[-1][2]
    assert control.residuals["mid"][:, 0, 0, 0].tolist() == [0, 0.5, 0] * 2


@pytest.mark.parametrize(
    ("config", "rows"), [(Masked(), [range(6)]), (Plain(), [range(3), range(3, 6)])]
)
def test_a_deep_branch_has_the_rows_of_all_conditions(x, process, config, rows):
    """In one call, or in one for each condition where they cannot be stacked."""

    class Branch:
        depth, rows = 1, range(6)

        def select(self, rows):
            part = Branch()
            part.rows = rows.tolist()
            return part

    class Recording(Network):
        def __call__(self, x, t, condition, control=None):
            branches.append(list(control.deep_branch.rows))
            return super().__call__(x, t, condition)

    branches = []
    predict = Predictor(Recording(config), process)
    predict(x, 0.5, [condition(2, 1), condition(4, 2)], Control(deep_branch=Branch()))
    assert branches == [list(each) for each in rows]
