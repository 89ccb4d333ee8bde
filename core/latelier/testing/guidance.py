"""The conformance checks of guidance rules."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.condition import Condition
from latelier.contracts.options import read_options
from latelier.contracts.sampling import Denoise
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.testing.component import FunctionContract
from latelier.testing.support.randomness import DrawRecorder, GlobalState
from latelier.testing.support.toy import SHAPE, Toy, condition_of

ROWS = 3
GIVEN, NULL = (0.7, -0.4), (0.1, 0.2)
"""The text and the label of the condition, and of its null."""

CLOSE = 1e-9
"""Greatest difference of equal numbers in float64."""

SIGMAS = {
    "ve": SigmaGrid((3.0, 2.0, 1.0, 0.5, 0.0), "ve"),
    "flow": SigmaGrid((0.9, 0.7, 0.5, 0.3, 0.0), "flow"),
}
every_run = pytest.mark.parametrize("sigmas", SIGMAS.values(), ids=SIGMAS)


class GuidanceContract(FunctionContract):
    """The contract of guidance rules. A plugin's own test file:

        from latelier.testing import GuidanceContract

        class TestStrong(GuidanceContract):
            component = "latelier-strong/strong"
            alone = {"scale": 1.0}

    The toy model that it guides takes a stream `text` and a vector `label`.

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        options: options for the tests; at least those that have no default.
        alone: the options with which it is the condition alone; None where there are none.
    """  # noqa: D415

    kind = "guidance"
    alone: ClassVar[dict[str, Any] | None] = {"scale": 1.0}

    def guide(self, toy: Toy, sigmas: SigmaGrid, rows: int = ROWS, **changes: Any) -> Denoise:
        """Return the guided denoise of a new run."""
        given, null = condition_of(*GIVEN, rows), condition_of(*NULL, rows)
        return self._guide_between(toy, given, null, sigmas, **changes)

    def _guide_between(
        self, toy: Toy, given: Condition, null: Condition, sigmas: SigmaGrid, **changes: Any
    ) -> Denoise:
        options = read_options(self.function, {**self.fixed_options, **changes}, self.component)
        return self.function(toy, given, null, sigmas, **options)

    def walk(
        self, denoise: Denoise, sigmas: SigmaGrid, x: Tensor, *, per_image: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield x and its estimate at every sigma above 0, going straight from one to the next.

        per_image: whether sigma is passed as (B,), with equal numbers.
        """
        for sigma, sigma_next in pairwise(sigmas):
            each = torch.full((len(x),), sigma, dtype=torch.float64)
            estimate = denoise(x, each if per_image else sigma)
            yield x, estimate
            x = torch.lerp(estimate, x, sigma_next / sigma)

    def estimates(
        self, denoise: Denoise, sigmas: SigmaGrid, x: Tensor, *, per_image: bool = False
    ) -> list[Tensor]:
        """Return its estimates at every sigma above 0."""
        return [estimate for _, estimate in self.walk(denoise, sigmas, x, per_image=per_image)]

    @every_run
    def test_its_estimate_is_like_x(self, sigmas: SigmaGrid) -> None:
        """It has the shape and the precision of x."""
        for dtype in (torch.float32, torch.float64):
            for estimate in self.estimates(self.guide(Toy(), sigmas), sigmas, _x().to(dtype)):
                assert estimate.shape == (ROWS, *SHAPE), f"its shape is {tuple(estimate.shape)}"
                assert estimate.dtype == dtype, f"x is {dtype}, the estimate {estimate.dtype}"

    @every_run
    def test_outputs_are_finite(self, sigmas: SigmaGrid) -> None:
        """At every sigma."""
        for estimate in self.estimates(self.guide(Toy(), sigmas), sigmas, _x()):
            assert estimate.isfinite().all(), "its estimate has numbers that are not finite"

    @every_run
    def test_alone_it_is_the_condition_alone(self, sigmas: SigmaGrid) -> None:
        """Where it does not guide, it has the bits and the cost of the condition alone."""
        if self.alone is None:
            return
        toy, given = Toy(), condition_of(*GIVEN, ROWS)
        walk = self.walk(self.guide(toy, sigmas, **self.alone), sigmas, _x())
        for (x, estimate), sigma in zip(walk, sigmas, strict=False):
            expected = Toy()(x, sigma, [given])[0]
            assert torch.equal(estimate, expected), (
                f"with {self.alone} it is not the condition alone: return "
                "predict(x, sigma, [condition])[0] itself"
            )
        assert set(toy.calls) == {1}, (
            f"with {self.alone} it estimates {max(toy.calls)} conditions, where one is enough"
        )

    @every_run
    def test_it_guides(self, sigmas: SigmaGrid) -> None:
        """With the test's options it differs from the condition alone at some sigma."""
        given = condition_of(*GIVEN, ROWS)
        walk = self.walk(self.guide(Toy(), sigmas), sigmas, _x())
        differs = [
            not torch.allclose(estimate, Toy()(x, sigma, [given])[0])
            for (x, estimate), sigma in zip(walk, sigmas, strict=False)
        ]
        assert any(differs), "it changes nothing: give `options` with which it does"

    @every_run
    def test_it_keeps_what_null_lacks(self, sigmas: SigmaGrid) -> None:
        """Such as the size of the picture: a model sees it without the text, too."""
        given, null = condition_of(*GIVEN, ROWS), condition_of(*NULL, ROWS)
        size = Condition(vectors={"size": torch.full((ROWS, 1), 0.3, dtype=torch.float64)})
        lacking, complete = (
            self.estimates(
                self._guide_between(Toy(), given.union(size), each, sigmas), sigmas, _x()
            )
            for each in (null, null.union(size))
        )
        for one, other in zip(lacking, complete, strict=True):
            assert torch.allclose(one, other, CLOSE, CLOSE), (
                "it estimates without a part that null lacks: use condition.updated(null)"
            )

    @every_run
    def test_each_image_as_if_alone(self, sigmas: SigmaGrid) -> None:
        """Norms, deviations and projections are of one image, whatever is in its batch."""
        x = _x() * torch.tensor([1.0, 3.0, 9.0]).view(-1, 1, 1, 1)
        together = self.estimates(self.guide(Toy(), sigmas), sigmas, x)
        for k in range(ROWS):
            alone = self.estimates(self.guide(Toy(), sigmas, 1), sigmas, x[k : k + 1])
            for sigma, one, other in zip(sigmas, together, alone, strict=False):
                assert torch.allclose(one[k], other[0], CLOSE, CLOSE), (
                    f"image {k} differs in a batch at sigma {sigma}"
                )

    @every_run
    def test_a_sigma_for_each_image(self, sigmas: SigmaGrid) -> None:
        """Samplers may pass sigma as (B,): equal numbers are as one."""
        expected = self.estimates(self.guide(Toy(), sigmas), sigmas, _x())
        estimates = self.estimates(self.guide(Toy(), sigmas), sigmas, _x(), per_image=True)
        for sigma, one, other in zip(sigmas, estimates, expected, strict=False):
            assert torch.allclose(one, other, 1e-6, 1e-6), (
                f"sigma {sigma} passed for each image makes another estimate than as one number"
            )

    @every_run
    def test_runs_do_not_disturb_each_other(self, sigmas: SigmaGrid) -> None:
        """The rule is called once a run; what it remembers of the run is in its closure."""
        xs = [_x(), -2 * _x()]
        alone = [self.estimates(self.guide(Toy(), sigmas), sigmas, x) for x in xs]
        turns = [self.walk(self.guide(Toy(), sigmas), sigmas, x) for x in xs]
        for step, both in enumerate(zip(*turns, strict=True)):
            for (_, estimate), expected in zip(both, alone, strict=True):
                assert torch.equal(estimate, expected[step]), (
                    "two runs in turns disturb each other: keep what a run remembers in local "
                    "variables of the rule, not in the module"
                )

    @every_run
    def test_no_tensor_of_others_is_changed(self, sigmas: SigmaGrid) -> None:
        """Neither x nor the model's estimates, which others may read."""
        toy, x = Toy(), _x()
        before = x.clone()
        self.estimates(self.guide(toy, sigmas), sigmas, x)
        assert torch.equal(x, before), "x is changed in place"
        assert all(torch.equal(tensor, copy) for tensor, copy in toy.passed), (
            "an estimate of the model is changed in place: make a new tensor"
        )

    @every_run
    def test_it_draws_no_random_numbers(self, sigmas: SigmaGrid) -> None:
        """A run's random numbers are drawn by the sampler, from the generator of each image."""
        toy, x = Toy(), _x()
        state = GlobalState()
        with DrawRecorder() as recorder:
            self.estimates(self.guide(toy, sigmas), sigmas, x)
        assert not recorder.operators, f"it draws by {set(recorder.operators)}"
        assert not state.changed(), f"it changes the global random state of {state.changed()}"


def _x() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(ROWS, *SHAPE, generator=generator, dtype=torch.float64)
