"""A toy model that is linear in x, and condition a text and a label that act on each other."""

import pytest
import torch

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.sigma_grid import SigmaGrid

SHAPE = (3, 2, 4, 5)


class Config(DenoiserConfig):
    @property
    def supports(self):
        return frozenset({"perturbed_attention"})

    @property
    def middle_self_attention(self):
        return "middle"


class Toy:
    """`predict`: x0 = x / 2 + text * P0 + label * P1 + text * label * P2, less P3 if perturbed."""

    def __init__(self, shape=SHAPE, config=None):
        generator = torch.Generator().manual_seed(0)
        self.x, *self.patterns = torch.randn(5, *shape, generator=generator, dtype=torch.float64)
        self.calls = []
        self.config = config or Config()
        self.first_stage = None

    def __call__(self, x, sigma, conditions, control=None, /):
        self.calls.append((sigma, len(conditions), control))
        text_label = [self._numbers(condition) for condition in conditions]
        perturbed = control is not None and bool(control.perturbed_attention)
        return [self.x0(*each, x=x, perturbed=perturbed) for each in text_label]

    def x0(self, text, label, x=None, perturbed=False):
        a, b, both, attention = self.patterns
        x = self.x if x is None else x
        return x / 2 + text * a + label * b + text * label * both - perturbed * attention

    def condition_for(self, value):
        return self.condition(value, 0.5)

    @staticmethod
    def condition(text, label):
        stream = Stream(torch.full((SHAPE[0], 1, 1), text, dtype=torch.float64))
        vector = torch.full((SHAPE[0], 1), label, dtype=torch.float64)
        return Condition({"text": stream}, {}, {"label": vector})

    @property
    def rows(self):
        """How many estimates each call was asked for."""
        return [rows for _, rows, _ in self.calls]

    @staticmethod
    def _numbers(condition):
        text = condition.streams["text"].tokens[0, 0, 0]
        return text, condition.vectors["label"][0, 0]


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
def make_toy():
    return Toy


@pytest.fixture
def condition():
    """The condition: text 0.7, label -0.4."""
    return Toy.condition(0.7, -0.4)


@pytest.fixture
def null():
    """Text 0.1, label 0.2."""
    return Toy.condition(0.1, 0.2)


@pytest.fixture
def grid():
    return SigmaGrid((3.0, 2.0, 1.0, 0.5, 0.0), "ve")


@pytest.fixture
def control():
    return Control(perturbed_attention=frozenset({"middle"}))


@pytest.fixture
def check_rows():
    """Compare a guided estimate of three images with those of each alone."""

    def check(make, x, sigma=2.0):
        together = make()(x, sigma)
        for k in range(len(x)):
            alone = make()(x[k : k + 1].expand_as(x), sigma)  # the patterns have three rows
            torch.testing.assert_close(together[k], alone[k], rtol=1e-12, atol=1e-12)

    return check
