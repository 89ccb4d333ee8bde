import pytest
import torch

from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.cfg import cfg

GRID = SigmaGrid((2.0, 1.0, 0.0), "ve")


def make_condition(text, label=None):
    """Return a condition whose estimate below is the sum of its numbers."""
    streams = {"text": Stream(torch.full((1, 1, 1), text))}
    vectors = {} if label is None else {"label": torch.full((1, 1), label)}
    return Condition(streams, {}, vectors)


class Predict:
    def __init__(self):
        self.calls = []

    def __call__(self, x, sigma, conditions, control=None, /):
        self.calls.append((sigma, len(conditions)))
        return [self.estimate(x, condition) for condition in conditions]

    @staticmethod
    def estimate(x, condition):
        text = condition.streams["text"].tokens.sum()
        return torch.sin(x) + text + sum(vector.sum() for vector in condition.vectors.values())


@pytest.fixture
def x():
    return torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))


def test_the_formula_in_one_call(x):
    predict = Predict()
    estimate = cfg(predict, make_condition(0.3), make_condition(-0.2), GRID, scale=5.0)(x, 2.0)
    expected = torch.sin(x) - 0.2 + 5 * 0.5
    torch.testing.assert_close(estimate, expected)
    assert predict.calls == [(2.0, 2)]


def test_scale_1_estimates_the_condition_only(x):
    predict = Predict()
    estimate = cfg(predict, make_condition(0.3), make_condition(-0.2), GRID, scale=1.0)(x, 2.0)
    assert torch.equal(estimate, Predict.estimate(x, make_condition(0.3)))
    assert predict.calls == [(2.0, 1)]


def test_scale_0_is_the_unconditional_estimate(x):
    estimate = cfg(Predict(), make_condition(0.3), make_condition(-0.2), GRID, scale=0.0)(x, 2.0)
    assert torch.equal(estimate, Predict.estimate(x, make_condition(-0.2)))


def test_conditions_without_a_null_part_stay_conditional(x):
    condition, null = make_condition(0.3, label=0.7), make_condition(-0.2)
    estimate = cfg(Predict(), condition, null, GRID, scale=2.0)(x, 2.0)
    torch.testing.assert_close(estimate, torch.sin(x) + 0.7 - 0.2 + 2 * 0.5)


def test_a_negative_prompt_replaces_the_null_condition(x):
    estimate = cfg(Predict(), make_condition(0.3), make_condition(0.9), GRID, scale=3.0)(x, 2.0)
    torch.testing.assert_close(estimate, torch.sin(x) + 0.9 + 3 * (0.3 - 0.9))


def test_sigma_may_differ_per_image(x):
    predict = Predict()
    sigma = torch.tensor([2.0, 1.0])
    cfg(predict, make_condition(0.3), make_condition(-0.2), GRID, scale=3.0)(x, sigma)
    assert predict.calls[0][0] is sigma


@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_parity_with_diffusers(x, rescale):
    guiders = pytest.importorskip("diffusers.guiders")
    theirs = guiders.ClassifierFreeGuidance(guidance_scale=5.0, guidance_rescale=rescale)
    sides = [Predict.estimate(x, make_condition(text)) for text in (0.3, -0.2)]
    expected = theirs.forward(*sides).pred
    conditions = make_condition(0.3), make_condition(-0.2)
    estimate = cfg(Predict(), *conditions, GRID, scale=5.0, rescale=rescale)(x, 2.0)
    torch.testing.assert_close(estimate, expected, rtol=1e-5, atol=1e-5)


def test_invalid_options_are_refused():
    assert read_options(cfg, {}, "guidance 'cfg'") == {
        "scale": 5.0,
        "interval": None,
        "rescale": 0.0,
        "threshold": None,
    }
    with pytest.raises(InvalidInputError, match="'scale'"):
        read_options(cfg, {"scale": -1.0}, "guidance 'cfg'")
