"""What every guidance rule keeps to."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.options import read_options
from latelier.contracts.sampling import Denoise
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.testing.component import FunctionContract
from latelier.testing.support.randomness import Draws, GlobalState
from latelier.testing.support.toy import SHAPE, Toy, condition_of

ROWS = 3
TOLD, NULL = (0.7, -0.4), (0.1, 0.2)
"""The text and the label of a condition, and of its null."""

NEAR = 1e-9
"""How near numbers in float64 must be."""

GRIDS = {
    "ve": SigmaGrid((3.0, 2.0, 1.0, 0.5, 0.0), "ve"),
    "flow": SigmaGrid((0.9, 0.7, 0.5, 0.3, 0.0), "flow"),
}
every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)


class GuidanceContract(FunctionContract):
    """The contract of guidance rules. A plugin's own test file:

        from latelier.testing import GuidanceContract

        class TestStrong(GuidanceContract):
            component = "latelier-strong/strong"
            alone = {"scale": 1.0}

    component: the full id, 'distribution/name', or the bare name while it is unique.
    options: the options to test it with; those that have no default at least.
    alone: the options with which it is the condition alone; None where there are none.

    The toy that it guides takes a stream `text` and a vector `label`.
    """  # noqa: D415

    kind = "guidance"
    alone: ClassVar[dict[str, Any] | None] = {"scale": 1.0}

    def denoise(self, toy: Toy, grid: SigmaGrid, rows: int = ROWS, **changes: Any) -> Denoise:
        """Return the guided denoise of a new run."""
        told, null = condition_of(*TOLD, rows), condition_of(*NULL, rows)
        options = read_options(self.function, {**self.fixed_options, **changes}, self.component)
        denoise: Denoise = self.function(toy, told, null, grid, **options)
        return denoise

    def walk(
        self, denoise: Denoise, grid: SigmaGrid, x: Tensor, *, each: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield x and its estimate at every sigma above 0, going straight from one to the next.

        each: whether every image is given a sigma of its own, all the same.
        """
        for sigma, to in pairwise(grid.sigmas):
            at = torch.full((len(x),), sigma, dtype=torch.float64) if each else sigma
            estimate = denoise(x, at)
            yield x, estimate
            x = torch.lerp(estimate, x, to / sigma)

    def estimates(self, denoise: Denoise, grid: SigmaGrid, x: Tensor, **how: bool) -> list[Tensor]:
        """Return its estimates at every sigma above 0."""
        return [estimate for _, estimate in self.walk(denoise, grid, x, **how)]

    @every_grid
    def test_its_estimate_is_like_x(self, grid: SigmaGrid) -> None:
        """Of the shape and the precision of x."""
        for dtype in (torch.float32, torch.float64):
            for estimate in self.estimates(self.denoise(Toy(), grid), grid, _x().to(dtype)):
                assert estimate.shape == (ROWS, *SHAPE), f"its shape is {tuple(estimate.shape)}"
                assert estimate.dtype == dtype, f"x is {dtype}, the estimate {estimate.dtype}"

    @every_grid
    def test_outputs_are_finite(self, grid: SigmaGrid) -> None:
        """At every sigma."""
        for estimate in self.estimates(self.denoise(Toy(), grid), grid, _x()):
            assert estimate.isfinite().all(), "its estimate has numbers that are not finite"

    @every_grid
    def test_alone_it_is_the_condition_alone(self, grid: SigmaGrid) -> None:
        """Where it does not guide, it is the bits of the condition alone, at the cost of that."""
        if self.alone is None:
            return
        toy, told = Toy(), condition_of(*TOLD, ROWS)
        walk = self.walk(self.denoise(toy, grid, **self.alone), grid, _x())
        for (x, estimate), sigma in zip(walk, grid.sigmas, strict=False):
            expected = Toy()(x, sigma, [told])[0]
            assert torch.equal(estimate, expected), (
                f"with {self.alone} it is not the condition alone: return "
                "predict(x, sigma, [condition])[0] itself"
            )
        assert set(toy.calls) == {1}, (
            f"with {self.alone} it asks for estimates under {max(toy.calls)} conditions, where one "
            "is enough"
        )

    @every_grid
    def test_it_guides(self, grid: SigmaGrid) -> None:
        """With the test's options it is another than the condition alone, somewhere."""
        told = condition_of(*TOLD, ROWS)
        walk = self.walk(self.denoise(Toy(), grid), grid, _x())
        differs = [
            not torch.allclose(estimate, Toy()(x, sigma, [told])[0])
            for (x, estimate), sigma in zip(walk, grid.sigmas, strict=False)
        ]
        assert any(differs), "it changes nothing: give `options` with which it does"

    @every_grid
    def test_each_image_as_if_alone(self, grid: SigmaGrid) -> None:
        """Norms, deviations and projections are of one image, whatever is in its batch."""
        x = _x() * torch.tensor([1.0, 3.0, 9.0]).view(-1, 1, 1, 1)
        together = self.estimates(self.denoise(Toy(), grid), grid, x)
        for k in range(ROWS):
            alone = self.estimates(self.denoise(Toy(), grid, 1), grid, x[k : k + 1])
            for sigma, one, other in zip(grid.sigmas, together, alone, strict=False):
                assert torch.allclose(one[k], other[0], NEAR, NEAR), (
                    f"image {k} is another in a batch at sigma {sigma}"
                )

    @every_grid
    def test_a_sigma_for_each_image(self, grid: SigmaGrid) -> None:
        """Samplers may pass one (B,): equal ones are as one number."""
        expected = self.estimates(self.denoise(Toy(), grid), grid, _x())
        made = self.estimates(self.denoise(Toy(), grid), grid, _x(), each=True)
        for sigma, one, other in zip(grid.sigmas, made, expected, strict=False):
            assert torch.allclose(one, other, 1e-6, 1e-6), (
                f"sigma {sigma} given for each image is another than as one number"
            )

    @every_grid
    def test_runs_do_not_disturb_each_other(self, grid: SigmaGrid) -> None:
        """It is made anew for each run; what it remembers of one is in its closure."""
        xs = [_x(), -2 * _x()]
        alone = [self.estimates(self.denoise(Toy(), grid), grid, x) for x in xs]
        turns = [self.walk(self.denoise(Toy(), grid), grid, x) for x in xs]
        for step, both in enumerate(zip(*turns, strict=True)):
            for (_, estimate), expected in zip(both, alone, strict=True):
                assert torch.equal(estimate, expected[step]), (
                    "two runs in turns disturb each other: keep what a run remembers in local "
                    "variables of the rule, not in the module"
                )

    @every_grid
    def test_no_tensor_of_others_is_changed(self, grid: SigmaGrid) -> None:
        """Neither x nor the model's estimates, which others may look at."""
        toy, x = Toy(), _x()
        before = x.clone()
        self.estimates(self.denoise(toy, grid), grid, x)
        assert torch.equal(x, before), "x is changed in place"
        assert all(torch.equal(tensor, copy) for tensor, copy in toy.given), (
            "an estimate of the model's is changed in place: make a new tensor"
        )

    @every_grid
    def test_it_draws_no_random_numbers(self, grid: SigmaGrid) -> None:
        """A run's random numbers are the sampler's, of each image's own generator."""
        toy, x = Toy(), _x()
        state = GlobalState()
        with Draws() as draws:
            self.estimates(self.denoise(toy, grid), grid, x)
        assert not draws.found, f"it draws by {set(draws.found)}"
        assert not state.changed(), f"it changes the global random state of {state.changed()}"


def _x() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(ROWS, *SHAPE, generator=generator, dtype=torch.float64)
