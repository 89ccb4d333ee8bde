"""A denoiser with fixed rows: every call is filled or divided, and the rows stay what they are."""

import pytest
import torch

from latelier.contracts.condition import Condition
from latelier.diffusion.fixed_rows import FixedRows


class Recorder:
    """A denoiser that returns twice its input, and records the rows of each call."""

    def __init__(self):
        self.calls = []
        self.config = object()

    def __call__(self, x, t, condition, control=None):
        assert condition.vectors["label"][:, 0].tolist() == t.tolist()
        self.calls.append(t.tolist())
        return 2 * x


@pytest.mark.parametrize(
    ("rows", "calls"),
    [
        (1, [[0, 0, 0]]),
        (3, [[0, 1, 2]]),
        (4, [[0, 1, 2], [3, 3, 3]]),
        (7, [[0, 1, 2], [3, 4, 5], [6, 6, 6]]),
    ],
)
def test_each_call_has_the_same_number_of_rows(rows, calls):
    denoiser = Recorder()
    t = torch.arange(rows).float()
    x = t.view(-1, 1, 1, 1)
    output = FixedRows(denoiser, 3)(x, t, Condition(vectors={"label": t[:, None]}))
    assert denoiser.calls == calls
    assert torch.equal(output, 2 * x)


def test_it_has_the_configuration_of_the_denoiser():
    denoiser = Recorder()
    assert FixedRows(denoiser, 3).config is denoiser.config


def test_gradients_pass_through(tiny):
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    call = x, torch.full((1,), 0.5), Condition()
    expected, found = (
        torch.autograd.grad(denoiser(*call).square().sum(), x)[0]
        for denoiser in (tiny.denoiser, FixedRows(tiny.denoiser, 3))
    )
    torch.testing.assert_close(found, expected)
