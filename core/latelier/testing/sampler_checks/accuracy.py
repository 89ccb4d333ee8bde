"""Checks of the accuracy of a sampler."""

from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.testing.sampler_checks.base import SHAPE, SamplerBase
from latelier.testing.sampler_checks.models import pixelwise
from latelier.testing.sampler_checks.runs import every_run
from latelier.testing.support.problems import (
    Gaussian,
    Mixture,
    Straight,
    even,
    logarithmic,
    observed_orders,
)

every_frame = pytest.mark.parametrize("frame", ["ve", "flow"])


class AccuracyChecks(SamplerBase):
    """Outputs are finite, have the precision of x, and converge at the declared order."""

    @every_run
    def test_outputs_are_finite(self, sigmas: SigmaGrid) -> None:
        """From pure noise and to sigma 0 too, where log(alpha / sigma) is infinite."""
        for step in self.run(pixelwise, sigmas):
            assert step.x.isfinite().all(), f"x is not finite after step {step.index}"
            assert step.denoised.isfinite().all(), f"x0 is not finite after step {step.index}"

    @every_frame
    @pytest.mark.parametrize("problem", [Gaussian, Mixture])
    def test_its_order_is_the_declared_one(self, problem: Any, frame: Any) -> None:
        """Twice the steps divide the error by 2^order, on ODEs with known solutions.

        On the Gaussian, a linear ODE, the leading errors of some methods cancel, so there the order
        may be higher than declared.
        """
        declared = self._observable_order()
        if declared is None:
            return
        *_, order = observed_orders(
            self.sampler, problem(frame), logarithmic, is_inversion=self.traits.is_inversion
        )
        meets = order > declared - 0.1 if problem is Gaussian else abs(order - declared) < 0.1
        assert meets, (
            f"it is of order {order:.2f} on a {problem.__name__} in the {frame} frame, and "
            f"`order={declared}` is declared"
        )

    @every_frame
    def test_its_main_order_is_the_declared_one(self, frame: Any) -> None:
        """Where the first steps make no error, its main step has at least the declared order."""
        order = self._observable_order()
        if order is None:
            return
        declared = self.traits.asymptotic_order or order
        is_inversion = self.traits.is_inversion
        *_, observed = observed_orders(
            self.sampler, Straight(frame), even, is_inversion=is_inversion
        )
        assert observed > declared - 0.15, (
            f"its main step is of order {observed:.2f} in the {frame} frame, not {declared}"
        )

    @every_run
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
    def test_it_keeps_the_precision_of_x(self, sigmas: SigmaGrid, dtype: torch.dtype) -> None:
        """The caller passes float32 or wider; small steps are lost in less."""
        dtypes = set()

        def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
            dtypes.add(x.dtype)
            return x / (1 + frames.per_image(sigma, x))

        noise = PerImageNoise([0], SHAPE)
        steps = run_sampler(self.sampler, denoise, noise.initial().to(dtype), sigmas, noise)
        dtypes |= {step.x.dtype for step in steps}
        assert dtypes == {dtype}, f"x arrives in {dtype} and becomes {dtypes}: keep its precision"

    def _observable_order(self) -> int | None:
        """Return the declared order, if it shows on an ODE with the test's sigmas."""
        traits = self.traits
        return None if traits.stochastic or traits.nfe_per_step is None else traits.order
