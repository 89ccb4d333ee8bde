"""Checks of the steps of a sampler, and of its calls of the model."""

from collections.abc import Callable, Iterable
from itertools import islice, pairwise
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.sampling import Denoise, Step, run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.testing.sampler_checks.base import SHAPE, SamplerBase
from latelier.testing.sampler_checks.models import CountedDenoise, pixelwise
from latelier.testing.sampler_checks.runs import every_run


class StepChecks(SamplerBase):
    """Steps end at the given sigmas, make the declared calls, and change no earlier tensor."""

    @every_run
    def test_one_step_for_each_interval(self, sigmas: SigmaGrid) -> None:
        """Progress bars, previews and cancelling rely on it: index, sigma at its end, x there."""
        steps = list(self.run(pixelwise, sigmas))
        assert all(type(step) is Step for step in steps), "yield latelier.Step after each step"
        expected = sigmas[::-1] if self.traits.is_inversion else sigmas[:]
        assert [step.index for step in steps] == list(range(sigmas.steps)), (
            "yield one Step for each pair of sigmas, with its index from 0"
        )
        assert [step.sigma for step in steps] == list(expected[1:]), (
            "the sigma of a Step is the one where its x is: where the step ends, not where it began"
        )
        assert all(step.x.shape == step.denoised.shape == (1, *SHAPE) for step in steps)

    @every_run
    def test_the_model_is_never_called_at_sigma_0(self, sigmas: SigmaGrid) -> None:
        """There x is x0 already; the slope would be a division by 0."""
        denoise = CountedDenoise()
        list(self.run(denoise, sigmas))
        assert all(_least(sigma) > 0 for sigma in denoise.sigmas), (
            "the model is called at sigma 0: a step to sigma 0 ends at the estimate of x0"
        )

    @every_run
    def test_it_makes_the_calls_that_it_declares(self, sigmas: SigmaGrid) -> None:
        """Hosts predict the cost of a run from `nfe_per_step`, but for special steps.

        The first step may take one more, to start; it and a step to sigma 0 may take fewer.
        """
        calls = _count_calls(self.run, sigmas)
        declared = self.traits.nfe_per_step
        if declared is None:
            return
        middle = calls[1:-1] if not self.traits.is_inversion else calls[2:-1]
        assert set(middle) <= {declared}, (
            f"a step calls the model {max(middle)} times, and `nfe_per_step={declared}` is declared"
        )
        assert 1 <= calls[0] <= declared + 1, f"the first step calls the model {calls[0]} times"
        most = declared if not self.traits.is_inversion else declared + 1
        assert 1 <= calls[-1] <= most, f"the last step calls the model {calls[-1]} times"

    @every_run
    def test_closing_it_early_stops_the_work(self, sigmas: SigmaGrid) -> None:
        """A generator works when the next step is requested; cancelling closes it."""
        denoise, complete = CountedDenoise(), CountedDenoise()
        list(self.run(complete, sigmas))
        steps: Any = self.run(denoise, sigmas)
        assert not denoise.sigmas, "the model is called before the first step is requested"
        first = [step.x.clone() for step in islice(steps, 2)]
        calls = len(denoise.sigmas)
        steps.close()
        assert len(denoise.sigmas) == calls < len(complete.sigmas), (
            "closed after two steps, it has called the model for more: yield after each step"
        )
        for x, again in zip(first, self.run(pixelwise, sigmas), strict=False):
            assert torch.equal(x, again.x), "a second run makes other steps than the first"

    @every_run
    def test_no_tensor_is_changed_after_it_is_passed_on(self, sigmas: SigmaGrid) -> None:
        """Tensors that were passed in or yielded belong to others: previews read them later."""
        passed: list[tuple[Tensor, Tensor]] = []

        def denoise(x: Tensor, _: float | Tensor, /) -> Tensor:
            estimate = torch.tanh(x)
            passed.extend([(x, x.clone()), (estimate, estimate.clone())])
            return estimate

        noise = PerImageNoise([0], SHAPE)
        x = noise.initial()
        passed.append((x, x.clone()))
        for step in run_sampler(self.sampler, denoise, x, sigmas, noise):
            passed.append((step.x, step.x.clone()))
        assert all(torch.equal(tensor, copy) for tensor, copy in passed), (
            "a tensor is changed in place after it was passed on or yielded: make a new one"
        )


def _count_calls(
    run: Callable[[Denoise, SigmaGrid], Iterable[Step]], sigmas: SigmaGrid
) -> list[int]:
    """Return the number of calls of the model in each step."""
    denoise = CountedDenoise()
    totals = [0, *(len(denoise.sigmas) for _ in run(denoise, sigmas))]
    return [after - before for before, after in pairwise(totals)]


def _least(sigma: float | Tensor) -> float:
    return float(sigma.min()) if isinstance(sigma, Tensor) else sigma
