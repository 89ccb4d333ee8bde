"""What every sampler keeps to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice, pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.options import options_model
from latelier.contracts.sampling import Denoise, Step
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.noise import PerImageNoise
from latelier.kernel.spec import SamplerTraits
from latelier.testing.component import FunctionContract
from latelier.testing.support.problems import (
    Gaussian,
    Mixture,
    Straight,
    even,
    logarithmic,
    observed_orders,
)
from latelier.testing.support.randomness import Draws, GlobalState

SHAPE = (4, 8, 8)
RTOL, ATOL = 1e-5, 1e-6
GRIDS = {
    "ve": SigmaGrid((80.0, 24.4, 5.84, 0.966, 0.0853, 0.002, 0.0), "ve"),
    "flow": SigmaGrid((0.99, 0.9, 0.75, 0.55, 0.35, 0.15, 0.0), "flow"),
    "pure_noise": SigmaGrid((1.0, 0.9, 0.75, 0.55, 0.35, 0.15, 0.0), "flow"),
    "not_to_zero": SigmaGrid((157.0, 21.9, 6.2, 2.2, 0.79, 0.24, 0.0413), "ve"),
}
"""Grids of both frames; from pure noise, as models of zero terminal SNR are sampled; to a sigma
above 0, as the paper's are."""

every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
every_frame = pytest.mark.parametrize("frame", ["ve", "flow"])


class SamplerContract(FunctionContract):
    """The contract of samplers. A plugin's own test file:

        from latelier.testing import SamplerContract

        class TestMidpoint(SamplerContract):
            component = "latelier-midpoint/midpoint"

    component: the full id, 'distribution/name', or the bare name while it is unique.
    options: the options to test it with, where the defaults are not what is to be tested.

    What it is held to is what it declares as it is registered (see `SamplerTraits`): its order, the
    calls of the model in a step, whether it draws noise.
    """  # noqa: D415

    kind = "sampler"

    @property
    def sampler(self) -> Any:
        """The sampler with its options."""
        return partial(self.function, **self.all_options)

    @property
    def traits(self) -> SamplerTraits:
        """What it declares."""
        return self.spec.traits or SamplerTraits()  # type: ignore[call-arg]

    def steps(
        self, denoise: Denoise, grid: SigmaGrid, seeds: Sequence[int] = (0,), **changes: Any
    ) -> Iterator[Step]:
        """Return the steps of a run of images with these seeds."""
        noise = PerImageNoise(seeds, SHAPE)
        x = noise.initial()
        steps: Iterator[Step] = self.sampler(denoise, x, grid, **{"noise": noise, **changes})
        return steps

    def end(self, denoise: Denoise, grid: SigmaGrid, seeds: Sequence[int] = (0,)) -> Tensor:
        """Return the last x of a run."""
        return _last(self.steps(denoise, grid, seeds)).x

    # -------------------------------------------------------------------------- step after step

    @every_grid
    def test_one_step_for_each_interval(self, grid: SigmaGrid) -> None:
        """Progress bars, previews and cancelling count on it: index, sigma at its end, x there."""
        done = list(self.steps(pixelwise, grid))
        assert all(type(step) is Step for step in done), "yield latelier.Step after each step"
        walked = grid.sigmas[::-1] if self.traits.is_inversion else grid.sigmas
        assert [step.index for step in done] == list(range(grid.steps)), (
            "one Step for each interval of the grid, with its index from 0"
        )
        assert [step.sigma for step in done] == list(walked[1:]), (
            "a Step's sigma is that at which its x is: the one gone to, not the one come from"
        )
        assert all(step.x.shape == step.denoised.shape == (1, *SHAPE) for step in done)

    @every_grid
    def test_the_model_is_never_asked_at_sigma_0(self, grid: SigmaGrid) -> None:
        """There x is x0 already; the slope would be a division by 0."""
        asked = Counted()
        list(self.steps(asked, grid))
        assert all(_least(sigma) > 0 for sigma in asked.sigmas), (
            "the model is asked at sigma 0: a step to sigma 0 ends at the estimate of x0"
        )

    @every_grid
    def test_it_makes_the_calls_that_it_declares(self, grid: SigmaGrid) -> None:
        """Hosts tell the cost of a run from `calls`: that many in a step, but for special ones.

        The first step may take one more, to start with; it and one to sigma 0 may take fewer.
        """
        calls = _calls_of_steps(self.steps, grid)
        declared = self.traits.nfe_per_step
        if declared is None:
            return
        middle = calls[1:-1] if not self.traits.is_inversion else calls[2:-1]
        assert set(middle) <= {declared}, (
            f"a step asks the model {max(middle)} times, and `nfe_per_step={declared}` is declared"
        )
        assert 1 <= calls[0] <= declared + 1, f"the first step asks {calls[0]} times"
        most = declared if not self.traits.is_inversion else declared + 1
        assert 1 <= calls[-1] <= most, f"the last step asks the model {calls[-1]} times"

    @every_grid
    def test_closing_it_early_stops_the_work(self, grid: SigmaGrid) -> None:
        """It is a generator that works when it is asked for the next step: cancelling is that."""
        asked, whole = Counted(), Counted()
        list(self.steps(whole, grid))
        steps: Any = self.steps(asked, grid)
        assert not asked.sigmas, "the model is asked before the first step is"
        begun = [step.x.clone() for step in islice(steps, 2)]
        calls = len(asked.sigmas)
        steps.close()
        assert len(asked.sigmas) == calls < len(whole.sigmas), (
            "closed after two steps, it has asked for more: yield after each step"
        )
        for x, again in zip(begun, self.steps(pixelwise, grid), strict=False):
            assert torch.equal(x, again.x), "begun anew, its steps are others"

    @every_grid
    def test_no_tensor_is_changed_once_it_is_out_of_hand(self, grid: SigmaGrid) -> None:
        """What was given or yielded belongs to others: previews look at it later."""
        seen: list[tuple[Tensor, Tensor]] = []

        def denoise(x: Tensor, _: float | Tensor, /) -> Tensor:
            estimate = torch.tanh(x)
            seen.extend([(x, x.clone()), (estimate, estimate.clone())])
            return estimate

        noise = PerImageNoise([0], SHAPE)
        x = noise.initial()
        seen.append((x, x.clone()))
        for step in self.sampler(denoise, x, grid, noise=noise):
            seen.append((step.x, step.x.clone()))
        assert all(torch.equal(tensor, copy) for tensor, copy in seen), (
            "a tensor is changed in place after it was given or yielded: make a new one"
        )

    # ------------------------------------------------------------------------------ the numbers

    @every_grid
    def test_outputs_are_finite(self, grid: SigmaGrid) -> None:
        """From pure noise and to sigma 0 too, where log(alpha / sigma) is infinite."""
        for step in self.steps(pixelwise, grid):
            assert step.x.isfinite().all(), f"x is not finite after step {step.index}"
            assert step.denoised.isfinite().all(), f"x0 is not finite after step {step.index}"

    @every_frame
    @pytest.mark.parametrize("problem", [Gaussian, Mixture])
    def test_its_order_is_that_declared(self, problem: Any, frame: Any) -> None:
        """Twice the steps divide the error by 2^order, on ODEs that are solved exactly."""
        if not self._has_order():
            return
        is_inversion = self.traits.is_inversion
        *_, order = observed_orders(
            self.sampler, problem(frame), logarithmic, is_inversion=is_inversion
        )
        assert order == pytest.approx(self.traits.order, abs=0.1), (
            f"it is of order {order:.2f} in the {frame} frame, and `order={self.traits.order}` is "
            "declared"
        )

    @every_frame
    def test_its_main_order_is_that_declared(self, frame: Any) -> None:
        """Where the first steps make no error, its main step is of the order it declares."""
        if not self._has_order():
            return
        declared = self.traits.asymptotic_order or self.traits.order
        is_inversion = self.traits.is_inversion
        *_, order = observed_orders(self.sampler, Straight(frame), even, is_inversion=is_inversion)
        assert order == pytest.approx(declared, abs=0.15), (
            f"its main step is of order {order:.2f} in the {frame} frame, not {declared}"
        )

    @every_grid
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (torch.float16, torch.float32),
            (torch.bfloat16, torch.float32),
            (torch.float32, torch.float32),
            (torch.float64, torch.float64),
        ],
        ids=str,
    )
    def test_the_state_is_float32_at_least(
        self, grid: SigmaGrid, given: torch.dtype, kept: torch.dtype
    ) -> None:
        """Whatever the precision of the model: small steps are lost in 16 bits."""
        asked = set()

        def denoise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
            asked.add(x.dtype)
            return (x / (1 + frames.per_image(sigma, x))).to(given)

        noise = PerImageNoise([0], SHAPE)
        steps = self.sampler(denoise, noise.initial().to(given), grid, noise=noise)
        dtypes = {step.x.dtype for step in steps}
        assert asked == dtypes == {kept}, (
            f"from {given} the model is given {asked} and x is {dtypes}, not {kept}: begin with "
            "x.to(torch.promote_types(x.dtype, torch.float32))"
        )

    # ----------------------------------------------------------------------- images and threads

    @every_grid
    def test_an_image_is_the_same_alone_and_in_a_batch(self, grid: SigmaGrid) -> None:
        """Image k of a run can be made again alone."""
        seeds = (7, 8, 9)
        together = list(self.steps(pixelwise, grid, seeds))
        for k, seed in enumerate(seeds):
            alone = list(self.steps(pixelwise, grid, (seed,)))
            for step, one in zip(together, alone, strict=True):
                assert torch.allclose(step.x[k : k + 1], one.x, RTOL, ATOL), (
                    f"image {k} is another in a batch after step {step.index}: take norms, errors "
                    "and means of each image alone"
                )

    @every_grid
    def test_an_image_differs_from_its_neighbours(self, grid: SigmaGrid) -> None:
        """Each has noise of its own."""
        x = self.end(pixelwise, grid, (7, 8))
        assert (x[0] - x[1]).abs().max() > 0.1, "two images of one batch come out alike"

    @every_grid
    def test_runs_do_not_disturb_each_other(self, grid: SigmaGrid) -> None:
        """Runs in turns and in threads get the bits of each alone: no state outlives a frame."""
        alone = [self.end(pixelwise, grid, (seed,)) for seed in range(8)]
        *_, last = zip(*(self.steps(pixelwise, grid, (seed,)) for seed in (0, 1)), strict=True)
        for step, expected in zip(last, alone, strict=False):
            assert torch.equal(step.x, expected), "two runs in turns disturb each other: " + KEEP
        with ThreadPoolExecutor(8) as pool:
            threaded = list(pool.map(lambda seed: self.end(pixelwise, grid, (seed,)), range(8)))
        for x, expected in zip(threaded, alone, strict=True):
            assert torch.equal(x, expected), "runs in threads disturb each other: " + KEEP

    # -------------------------------------------------------------------------------- the noise

    @every_grid
    def test_noise_is_drawn_if_it_is_declared(self, grid: SigmaGrid) -> None:
        """`stochastic` says whether `noise` is asked for, which is how a run is recorded."""
        own = PerImageNoise([0], SHAPE)
        drawn = []

        def noise(sigma_from: float, sigma_to: float, /) -> Tensor:
            drawn.append((sigma_from, sigma_to))
            return own(sigma_from, sigma_to)

        list(self.steps(pixelwise, grid, noise=noise))
        assert bool(drawn) == self.traits.stochastic, (
            f"`stochastic={self.traits.stochastic}` is declared, and noise is drawn {len(drawn)} "
            "times"
        )

    @every_grid
    def test_it_draws_no_numbers_of_its_own(self, grid: SigmaGrid) -> None:
        """All noise comes from `noise`, which gives each image its own."""
        own = PerImageNoise([0], SHAPE)
        x, ready = own.initial(), iter([own.initial() for _ in range(64)])

        def noise(_from: float, _to: float, /) -> Tensor:
            return next(ready)

        state = GlobalState()
        with Draws() as draws:
            for _ in self.sampler(pixelwise, x, grid, noise=noise):
                pass
        assert not draws.found, f"it draws by {set(draws.found)}: ask noise(sigma_from, sigma_to)"
        assert not state.changed(), f"it draws from the global state of {state.changed()}"

    # ------------------------------------------------------------------------------ its options

    def test_its_options_have_defaults(self) -> None:
        """A sampler can be chosen by its name alone."""
        fields = options_model(self.function).model_fields
        needed = [name for name, field in fields.items() if field.is_required()]
        missing = [name for name in needed if name not in self.spec.defaults]
        assert not missing, f"the options {', '.join(missing)} have no default"

    def _has_order(self) -> bool:
        """Tell whether it declares one that shows on an ODE with a grid of the test's choice."""
        traits = self.traits
        return (
            not traits.stochastic and traits.nfe_per_step is not None and traits.order is not None
        )


KEEP = "keep the state of a run in local variables of the generator"


class Counted:
    """A denoise that looks at every pixel alone and remembers what it was asked."""

    def __init__(self) -> None:
        self.sigmas: list[float | Tensor] = []

    def __call__(self, x: Tensor, sigma: float | Tensor, /) -> Tensor:
        """Return x0."""
        self.sigmas.append(sigma)
        return pixelwise(x, sigma)


def pixelwise(x: Tensor, sigma: float | Tensor, /) -> Tensor:
    """Return an estimate of x0 that looks at every pixel alone."""
    return torch.tanh(4 * x / (1 + frames.per_image(sigma, x)))


def _calls_of_steps(
    steps: Callable[[Denoise, SigmaGrid], Iterable[Step]], grid: SigmaGrid
) -> list[int]:
    asked = Counted()
    totals = [0, *(len(asked.sigmas) for _ in steps(asked, grid))]
    return [after - before for before, after in pairwise(totals)]


def _least(sigma: float | Tensor) -> float:
    return float(sigma.min()) if isinstance(sigma, Tensor) else sigma


def _last(steps: Iterable[Step]) -> Step:
    *_, step = steps
    return step
