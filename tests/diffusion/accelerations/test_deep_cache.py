"""Deep features are computed at some steps, for the right rows, and used at the others."""

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.accelerations.deep_cache import deep_cache

GRID = SigmaGrid((4.0, 3.0, 2.0, 1.0, 0.0), "ve")
ONE, OTHER = Condition(), Condition()


class Config(DenoiserConfig):
    @property
    def supports(self):
        return frozenset({"deep_branch"})


class Branch:
    """`predict` that returns the deep features, which are sigma and the number of the row.

    Attributes:
        computed: the sigmas at which the branch was computed.
        parts: rows of each call that a condition's rows are divided into.
    """

    config = Config()

    def __init__(self, parts=None):
        self.computed = []
        self.parts = parts

    def __call__(self, x, sigma, conditions, control=None):
        rows = torch.arange(len(conditions) * len(x))
        wrapper = control.deep_branch
        self.depth = wrapper.depth

        def run(wrapper, rows):
            def compute():
                self.computed.append(sigma)
                return sigma + 100.0 * rows.view(-1, 1, 1, 1)

            return wrapper(compute)

        if self.parts is None:
            features = run(wrapper, rows)
        else:
            outer = wrapper.select(rows.flip(0))  # a part of a part has the rows of the whole
            features = torch.cat(
                [run(outer.select(part), rows.flip(0)[part]) for part in rows.split(self.parts)]
            ).flip(0)
        return list(features.chunk(len(conditions)))


def test_the_branch_is_computed_at_every_second_step():
    model, x = Branch(), torch.zeros(2, 1, 1, 1)
    estimate = deep_cache(model, GRID, interval=2, depth=3)
    found = [estimate(x, sigma, [ONE, OTHER])[1].flatten().tolist() for sigma in GRID[:-1]]
    assert model.computed == [4.0, 2.0]
    assert found == [[204.0, 304.0]] * 2 + [[202.0, 302.0]] * 2
    assert model.depth == 3


@pytest.mark.parametrize("parts", [(1, None), (2, 3), (None, 2)])
def test_a_call_in_parts_has_the_features_of_its_rows(parts):
    """Whatever parts computed them."""
    model, x = Branch(), torch.zeros(3, 1, 1, 1)
    estimate = deep_cache(model, GRID, interval=3, depth=1)
    for sigma, model.parts in zip((4.0, 3.0), parts, strict=True):
        found = torch.cat(estimate(x, sigma, [ONE, OTHER])).flatten()
        assert found.tolist() == [4.0, 104.0, 204.0, 304.0, 404.0, 504.0]
    assert set(model.computed) == {4.0}


def test_a_failed_call_leaves_nothing():
    """Such as one for which memory was too small, and which is made again in parts."""
    model, x = Branch(), torch.zeros(2, 1, 1, 1)
    estimate = deep_cache(model, GRID, interval=3, depth=1)
    model.parts = 0  # an error of split
    with pytest.raises(RuntimeError):
        estimate(x, 4.0, [ONE])
    model.parts = None
    estimate(x, 3.0, [ONE])
    assert model.computed == [3.0]


def test_cached_features_keep_neither_graph_nor_memory_of_a_call():
    """A compiled denoiser uses its memory again."""

    class Differentiable(Branch):
        def __call__(self, x, sigma, conditions, control=None):
            self.features = control.deep_branch(lambda: 2 * x)
            return [self.features + x]

    model = Differentiable()
    estimate = deep_cache(model, GRID, interval=3, depth=1)
    x = torch.ones(1, 1, 1, 1, requires_grad=True)
    [x0] = estimate(x, 4.0, [ONE])
    assert torch.autograd.grad(x0.sum(), x)[0].item() == 3.0
    model.features.detach().zero_()
    [x0] = estimate(x, 3.0, [ONE])
    assert x0.item() == 3.0
    assert not model.features.requires_grad


def test_a_denoiser_without_a_deep_branch_is_refused():
    class Plain(Branch):
        config = DenoiserConfig()

    with pytest.raises(CompatibilityError, match=r"'deep_cache' needs .* supports 'deep_branch'"):
        deep_cache(Plain(), GRID, interval=3, depth=1)
